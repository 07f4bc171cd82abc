// The clip on the picture: its points, their tracks, the frame that is shown.

import { QuerySet } from "../engine/queries.js";
import { keepPoints } from "../engine/tracks.js";
import { drawQueries, drawTracks, penFor, penForScreen } from "./overlay.js";
import { Player } from "./player.js";

/** @typedef {import("../engine/clip.js").Clip} Clip */
/** @typedef {import("../engine/queries.js").QueryPoint} QueryPoint */
/** @typedef {import("../engine/tracks.js").Tracks} Tracks */
/** @typedef {import("./colours.js").PointColours} PointColours */
/** @typedef {import("./overlay.js").Context} Context */
/** @typedef {import("./overlay.js").Pen} Pen */
/** @typedef {import("./picture.js").Position} Position */
/**
 * @typedef {object} Drawing how a picture is drawn
 * @property {number} trailFrames
 * @property {number} pixel of the screen, in pixels of the clip
 * @property {QueryPoint | null} marked the point that is pointed at
 */
/**
 * @typedef {object} Listeners
 * @property {(frame: number) => void} shown another frame is there to be drawn
 * @property {() => void} changed playing began or ended
 * @property {(error: unknown) => void} failed
 */

export class ClipView {
  #colours;
  #listeners;
  #queries = new QuerySet();
  /** @type {ImageBitmap | null} what is shown */
  #picture = null;
  /** @type {Clip} */
  clip;
  player;
  /** Frames are read one after the other to be saved: nothing else is decoded meanwhile. */
  saving = false;
  /** @type {Tracks | null} of the first of `points` */
  tracks = null;

  /**
   * @param {Clip} clip
   * @param {PointColours} colours
   * @param {Listeners} listeners
   */
  constructor(clip, colours, listeners) {
    this.clip = clip;
    this.#colours = colours;
    this.#listeners = listeners;
    this.player = new Player(clip, (...shown) => this.#show(...shown), listeners.changed, listeners.failed);
  }

  get frameHw() {
    return this.clip.frameHw;
  }

  /** @returns {QueryPoint[]} in the order in which they were added */
  get points() {
    return this.#queries.points;
  }

  /** @returns {Float32Array} (points, 3) as (t, y, x) */
  get queriesTyx() {
    return this.#queries.toArray();
  }

  /** @param {QueryPoint[]} points at least one; they are undone together */
  add(points) {
    this.#colours.give(points);
    this.#queries.add(points);
  }

  /** @param {QueryPoint} point one of `points` */
  remove(point) {
    const before = this.points;
    this.#queries.remove(point);
    this.#keepTracks(before);
  }

  /** @returns {number} how many points the last addition had */
  undo() {
    const before = this.points;
    const taken = this.#queries.undo();
    this.#keepTracks(before);
    return taken.length;
  }

  clear() {
    this.#queries.clear();
    this.tracks = null;
  }

  /**
   * The point that is nearest in the frame that is shown.
   * @param {Position} at in pixels of the clip
   * @param {number} reach so far away it may be
   * @returns {QueryPoint | null} one of `points`
   */
  nearest({ y, x }, reach) {
    let [found, best] = [/** @type {QueryPoint | null} */ (null), reach];
    this.points.forEach((point, index) => {
      const [left, top] = this.#place(point, index);
      const distance = Math.hypot(left - x, top - y);
      if (distance <= best) [found, best] = [point, distance];
    });
    return found;
  }

  /**
   * The frame that is shown, and on it where its points are and were.
   * @param {CanvasRenderingContext2D} context its canvas is filled; left scaled to the clip's pixels
   * @param {Drawing} drawing
   */
  draw(context, drawing) {
    if (this.#picture === null) return;
    if (this.#picture.width === 0) {
      // The cache gave it back: it is decoded again.
      if (!this.saving) void this.player.seek(this.player.frame);
      return;
    }
    const pen = penForScreen(this.frameHw, drawing.pixel);
    this.#drawFrame(context, this.#picture, this.player.frame, pen, drawing);
  }

  /**
   * A frame as it is saved: marks have the size that `locoexport track` draws.
   * @param {CanvasRenderingContext2D} context
   * @param {number} frame
   * @param {number} trailFrames
   */
  async drawSaved(context, frame, trailFrames) {
    const picture = await this.player.picture(frame);
    if (picture === null) return;
    const pen = penFor(this.frameHw);
    this.#drawFrame(context, picture, frame, { ...pen, trail: 1.5 * pen.trail }, {
      trailFrames,
      pixel: 1,
      marked: null,
    });
  }

  close() {
    this.player.close();
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {ImageBitmap} picture
   * @param {number} frame
   * @param {Pen} pen
   * @param {Drawing} drawing
   */
  #drawFrame(context, picture, frame, pen, { trailFrames, marked }) {
    const { width, height } = context.canvas;
    context.resetTransform();
    context.drawImage(picture, 0, 0, width, height);
    context.scale(width / this.frameHw[1], height / this.frameHw[0]);
    const { points, tracks } = this;
    const colours = points.map((point) => this.#colours.of(point));
    const at = marked === null ? -1 : points.indexOf(marked);
    const tracked = tracks?.points ?? 0;
    if (tracks !== null) {
      drawTracks(context, tracks, frame, { pen, colours, trailFrames, marked: at });
    }
    drawQueries(context, points.slice(tracked), frame, {
      pen,
      colours: colours.slice(tracked),
      trailFrames,
      marked: at - tracked,
    });
  }

  /** @param {ImageBitmap} picture @param {number} frame */
  #show(picture, frame) {
    this.#picture = picture;
    this.#listeners.shown(frame);
  }

  /** Where a point is in the frame that is shown. @param {QueryPoint} point @param {number} index */
  #place(point, index) {
    const { tracks } = this;
    if (tracks === null || index >= tracks.points) return [point.x, point.y];
    const at = 2 * (index * tracks.frames + Math.min(this.player.frame, tracks.frames - 1));
    return [tracks.xy[at], tracks.xy[at + 1]];
  }

  /** Tracks of the points that are still there. @param {QueryPoint[]} before */
  #keepTracks(before) {
    if (this.tracks === null) return;
    const left = new Set(this.points);
    const rows = [...before.keys()].slice(0, this.tracks.points);
    const kept = rows.filter((row) => left.has(before[row]));
    if (kept.length < rows.length) this.tracks = keepPoints(this.tracks, kept);
  }
}
