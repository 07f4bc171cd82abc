// Points followed through a camera's frames: which are there, where they were, what is drawn.

import { DemoError } from "../../engine/errors.js";
import { drawTracks, penForScreen } from "../overlay.js";

/** @typedef {import("../../engine/live.js").LiveTracks} LiveTracks */
/** @typedef {import("../../engine/live_port.js").LivePort} LivePort */
/** @typedef {import("../../engine/preprocessing.js").Size} Size */
/** @typedef {import("../../engine/queries.js").QueryPoint} QueryPoint */
/** @typedef {import("../colours.js").PointColours} PointColours */
/** @typedef {import("./camera.js").Camera} Camera */
/**
 * @typedef {object} Speed
 * @property {number} fps answers in a second, of the last two
 * @property {number} ms from a frame to its answer, mean of the same
 * @property {number} taken frames since the camera began
 * @property {number} dropped frames that the camera showed meanwhile
 */
/**
 * @typedef {object} Listeners
 * @property {(frameHw: Size) => void} sized before the first frame of a size
 * @property {() => void} shown another frame is there to be drawn
 * @property {() => void} changed points came or went
 * @property {(speed: Speed) => void} timed every second
 */

const LONGEST_TRAIL = 200;
const SPEED_MS = 2000;
/** A hand presses where a point was so long ago at most: what moves has gone on meanwhile. */
const REACTION_MS = 500;

export class LiveView {
  #port;
  #camera;
  #colours;
  #listeners;
  /** @type {ImageBitmap | null} the newest frame that was answered */
  #picture = null;
  /** @type {LiveTracks[]} oldest first, the last is of the picture */
  #answers = [];
  /** @type {Map<number, QueryPoint>} by id, where each was asked for; t is the frame's index */
  #places = new Map();
  /** @type {number[][]} ids that came together, oldest first */
  #additions = [];
  /** @type {{ at: number, ms: number }[]} answers of the last two seconds */
  #times = [];
  #taken = 0;

  /**
   * @param {LivePort} port with an open model
   * @param {Camera} camera
   * @param {PointColours} colours
   * @param {Listeners} listeners
   */
  constructor(port, camera, colours, listeners) {
    this.#port = port;
    this.#colours = colours;
    this.#camera = camera;
    this.#listeners = listeners;
  }

  /** What is shown. */
  get picture() {
    return this.#picture;
  }

  /** @returns {Size | null} */
  get frameHw() {
    return this.#picture && [this.#picture.height, this.#picture.width];
  }

  /** @returns {QueryPoint[]} where points were asked for */
  get points() {
    return [...this.#places.values()];
  }

  /**
   * Follow until the camera ends or the signal says so. While a frame is answered none is taken.
   * @param {AbortSignal} signal
   */
  async run(signal) {
    let told = performance.now();
    for (;;) {
      const picture = await this.#camera.next();
      signal.throwIfAborted();
      if (picture === null) throw new DemoError("The camera stopped.");
      const old = this.frameHw;
      if (old === null || old[0] !== picture.height || old[1] !== picture.width) {
        if (old !== null) await this.#begin();
        this.#listeners.sized([picture.height, picture.width]);
      }
      const { tracks, picture: back, ms } = await this.#port.push(picture);
      signal.throwIfAborted();
      this.#show(back, tracks);
      const now = performance.now();
      this.#times = [...this.#times.filter(({ at }) => now - at < SPEED_MS), { at: now, ms }];
      this.#taken++;
      if (now - told >= 1000) {
        told = now;
        this.#listeners.timed(this.speed);
      }
    }
  }

  /** @returns {Speed} */
  get speed() {
    const times = this.#times;
    const seconds = (times[times.length - 1].at - times[0].at) / 1000;
    return {
      fps: seconds > 0 ? (times.length - 1) / seconds : 0,
      ms: times.reduce((sum, { ms }) => sum + ms, 0) / times.length,
      taken: this.#taken,
      dropped: this.#camera.dropped,
    };
  }

  /**
   * Follow points of the frame that is shown.
   * @param {QueryPoint[]} points their t does not count
   */
  async add(points) {
    const newest = this.#answers.at(-1);
    if (newest === undefined || points.length === 0) return;
    const pointsYx = Float32Array.from(points.flatMap(({ y, x }) => [y, x]));
    const ids = await this.#port.add(pointsYx, newest.frameIndex);
    if (!this.#answers.includes(newest)) return; // the picture changed its size meanwhile
    this.#additions.push(ids);
    const placed = points.map((point) => ({ ...point, t: newest.frameIndex }));
    this.#colours.give(placed);
    ids.forEach((id, i) => this.#places.set(id, placed[i]));
    // Until their first answer comes they stand where they were put.
    newest.ids = [...newest.ids, ...ids];
    newest.xy = Float32Array.from([...newest.xy, ...points.flatMap(({ y, x }) => [x, y])]);
    newest.confidence = Float32Array.from([...newest.confidence, ...ids.map(() => 1)]);
    this.#listeners.changed();
  }

  /**
   * The point that is nearest in the frame that is shown, or was in one just before.
   * @param {{ y: number, x: number }} at in pixels of the frame
   * @param {number} reach so far away it may be
   * @returns {QueryPoint | null} one of `points`
   */
  nearest({ y, x }, reach) {
    const since = performance.now() - REACTION_MS;
    const recent = Math.max(1, this.#times.filter(({ at }) => at > since).length);
    let [found, best] = [/** @type {QueryPoint | null} */ (null), reach];
    for (const answer of this.#answers.slice(-recent)) {
      answer.ids.forEach((id, i) => {
        const distance = Math.hypot(answer.xy[2 * i] - x, answer.xy[2 * i + 1] - y);
        const point = this.#places.get(id);
        if (point !== undefined && distance <= best) [found, best] = [point, distance];
      });
    }
    return found;
  }

  /**
   * Follow a point no more.
   * @param {QueryPoint} point one of `points`
   */
  async remove(point) {
    await this.#drop([...this.#places].filter(([, each]) => each === point).map(([id]) => id));
  }

  /** @param {number[]} ids */
  async #drop(ids) {
    for (const id of ids) this.#places.delete(id);
    this.#additions = this.#additions
      .map((each) => each.filter((id) => this.#places.has(id)))
      .filter((each) => each.length > 0);
    this.#listeners.changed();
    if (ids.length > 0) await this.#port.remove(ids);
  }

  /** @returns {Promise<number>} how many points the last addition had */
  async undo() {
    const ids = this.#additions.pop() ?? [];
    await this.#drop(ids);
    return ids.length;
  }

  async clear() {
    this.#additions = [];
    await this.#drop([...this.#places.keys()]);
  }

  /**
   * The frame, and on it where its points are and were.
   * @param {CanvasRenderingContext2D} context its canvas is filled; left scaled to the frame's pixels
   * @param {import("../clip_view.js").Drawing} drawing
   */
  draw(context, { trailFrames, pixel, marked }) {
    const picture = this.#picture;
    if (picture === null) return;
    const { width, height } = context.canvas;
    context.resetTransform();
    context.drawImage(picture, 0, 0, width, height);
    context.scale(width / picture.width, height / picture.height);
    const tracks = this.#tracks(trailFrames + 1);
    const points = this.points;
    drawTracks(context, tracks, tracks.frames - 1, {
      pen: penForScreen([picture.height, picture.width], pixel),
      colours: points.map((point) => this.#colours.of(point)),
      trailFrames,
      marked: marked === null ? -1 : points.indexOf(marked),
    });
  }

  /** Give frames back. */
  close() {
    this.#picture?.close();
    this.#picture = null;
    this.#answers = [];
  }

  /** All anew, for frames of another size. */
  async #begin() {
    await this.#port.reset();
    this.#answers = [];
    this.#additions = [];
    this.#places.clear();
    this.#listeners.changed();
  }

  /** @param {ImageBitmap} picture @param {LiveTracks} tracks */
  #show(picture, tracks) {
    this.#picture?.close();
    this.#picture = picture;
    this.#answers = [...this.#answers, tracks].slice(-LONGEST_TRAIL - 1);
    this.#listeners.shown();
  }

  /**
   * The last frames' answers of the points that are there, as they are drawn.
   * @param {number} most
   */
  #tracks(most) {
    const answers = this.#answers.slice(-most);
    const ids = [...this.#places.keys()];
    const rows = new Map(ids.map((id, row) => [id, row]));
    const [points, frames] = [ids.length, answers.length];
    const xy = new Float32Array(2 * points * frames).fill(NaN);
    const confidence = new Float32Array(points * frames).fill(NaN);
    answers.forEach((answer, frame) =>
      answer.ids.forEach((id, i) => {
        const row = rows.get(id);
        if (row === undefined) return;
        xy.set(answer.xy.subarray(2 * i, 2 * i + 2), 2 * (row * frames + frame));
        confidence[row * frames + frame] = answer.confidence[i];
      }),
    );
    const queryPoints = Float32Array.from(this.points.flatMap(({ t, y, x }) => [t, y, x]));
    return { points, frames, xy, confidence, visible: new Uint8Array(0), queryPoints, fps: 1 };
  }
}
