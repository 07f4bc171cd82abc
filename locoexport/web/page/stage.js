// What is on the picture: a clip, or what a camera shows; and what pointing at it does.

import { gridQueries } from "../engine/queries.js";
import { ClipView } from "./clip_view.js";
import { PointColours } from "./colours.js";
import { page, wholeNumber } from "./elements.js";
import { PicturePointer } from "./picture.js";

/** @typedef {import("../engine/clip.js").Clip} Clip */
/** @typedef {import("../engine/preprocessing.js").Size} Size */
/** @typedef {import("../engine/queries.js").QueryPoint} QueryPoint */
/** @typedef {import("./camera/live_view.js").LiveView} LiveView */
/** @typedef {import("./picture.js").Position} Position */
/** @typedef {import("./site.js").SiteClip} SiteClip */
/**
 * @typedef {object} Listeners
 * @property {() => void} changed what the controls offer has to be asked anew
 * @property {(error: unknown) => void} failed
 * @property {(text: string) => void} say
 * @property {(action: () => unknown) => Promise<void>} attempt errors end up on the page
 * @property {() => string | null} refused why points of the clip may not change now, if they may not
 */

/** Of the canvas, where the clip is smaller: marks are sharp on a dense screen. */
const LONGEST_SIDE = 1600;

export class Stage {
  #listeners;
  #pointer;
  /** @type {QueryPoint | null} what is pointed at */
  #marked = null;
  /** A frame is drawn at the next chance. */
  #due = false;
  colours = new PointColours();
  /** @type {ClipView | null} */
  clip = null;
  /** @type {LiveView | null} while the camera runs */
  live = null;
  /** @type {SiteClip | null} what the clip is, where the site brought it */
  example = null;

  /** @param {Listeners} listeners */
  constructor(listeners) {
    this.#listeners = listeners;
    this.#pointer = new PicturePointer(page.picture, {
      point: ({ y, x }) => this.add([{ t: this.#frame, y: Math.fround(y), x: Math.fround(x) }]),
      box: (box) => {
        const side = wholeNumber(page.side);
        this.add(gridQueries(side, side, box, this.#frame));
      },
      held: (at, reach) => {
        const point = this.#canChange ? (this.#view?.nearest(at, reach) ?? null) : null;
        return point && (() => void this.remove(point));
      },
      hovered: (at, reach) => {
        const near = at && this.#canChange ? (this.#view?.nearest(at, reach) ?? null) : null;
        page.picture.classList.toggle("on-point", near !== null);
        this.mark(near);
      },
      say: listeners.say,
      redraw: () => this.redraw(),
    });
    new ResizeObserver(() => this.redraw()).observe(page.picture);
  }

  /** @returns {QueryPoint[]} */
  get points() {
    return this.#view?.points ?? [];
  }

  get player() {
    return this.clip?.player ?? null;
  }

  get #view() {
    return this.live ?? this.clip;
  }

  get #frame() {
    return this.player?.frame ?? 0;
  }

  get #canChange() {
    return this.live !== null || (this.clip !== null && this.#listeners.refused() === null);
  }

  /**
   * Show a clip in place of the last one.
   * @param {Clip} opened
   * @param {SiteClip | null} example where the site brought it
   */
  async show(opened, example) {
    this.clip?.close();
    const { changed, failed } = this.#listeners;
    this.clip = new ClipView(opened, this.colours, {
      shown: (frame) => this.#shown(frame),
      changed,
      failed,
    });
    this.clip.player.speed = Number(page.speed.value);
    this.example = example;
    this.#marked = null;
    this.fit(opened.frameHw);
    changed();
    await this.clip.player.seek(example?.frame ?? 0);
  }

  /** @param {LiveView | null} live null where the camera is off */
  watch(live) {
    this.live = live;
    this.#marked = null;
    if (live === null) this.fit(this.clip?.frameHw ?? null);
    this.#listeners.changed();
  }

  /**
   * Give the picture the shape of what it shows.
   * @param {Size | null} frameHw null where there is nothing
   */
  fit(frameHw) {
    page.picture.hidden = frameHw === null;
    page.empty.hidden = frameHw !== null;
    page.drop.classList.toggle("filled", frameHw !== null);
    if (frameHw === null) return;
    const [height, width] = frameHw;
    const scale = LONGEST_SIDE / Math.max(height, width);
    page.picture.width = Math.round(width * scale);
    page.picture.height = Math.round(height * scale);
    this.#pointer.reset(frameHw);
  }

  /** @param {QueryPoint[]} points */
  add(points) {
    const { live, clip } = this;
    if (live !== null) {
      void this.#listeners.attempt(() => live.add(points));
      return;
    }
    const refused = this.#listeners.refused();
    if (clip === null || refused !== null) {
      if (refused) this.#listeners.say(refused);
      return;
    }
    clip.add(points);
    const [first] = points;
    this.#listeners.say(
      points.length === 1
        ? `Point added on frame ${first.t} at x ${first.x.toFixed(1)}, y ${first.y.toFixed(1)}.`
        : `${points.length} points added on frame ${first.t}.`,
    );
    this.#listeners.changed();
  }

  /** The points that were chosen for this clip, on their frame; of others a grid over the frame. */
  async addExample() {
    const frameHw = this.#view?.frameHw;
    if (!frameHw) return;
    const { clip, example } = this;
    if (this.live === null && clip !== null && example !== null && example.pointsYx.length > 0) {
      clip.player.pause();
      await clip.player.seek(example.frame);
      this.add(example.pointsYx.map(([y, x]) => ({ t: example.frame, y, x })));
      return;
    }
    const side = wholeNumber(page.side);
    const [height, width] = frameHw;
    this.add(gridQueries(side, side, { top: 0, left: 0, height, width }, this.#frame));
  }

  /** @param {QueryPoint} point */
  async remove(point) {
    if (!this.#canChange) return;
    const view = this.#view;
    await this.#listeners.attempt(async () => {
      await view?.remove(point);
      this.#marked = null;
      this.#listeners.say("Point removed.");
      this.#listeners.changed();
    });
  }

  /** @returns {Promise<number>} how many points were taken back */
  async undo() {
    return (await this.#view?.undo()) ?? 0;
  }

  async clear() {
    await this.#view?.clear();
  }

  /** @param {QueryPoint | null} point that is pointed at */
  mark(point) {
    if (point === this.#marked) return;
    this.#marked = point;
    this.redraw();
  }

  /** Draw anew what is shown: once, however often it is asked for until then. */
  redraw() {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      this.#draw();
    });
  }

  #draw() {
    const context = page.picture.getContext("2d");
    const frameHw = this.#view?.frameHw;
    if (context === null || !frameHw) return;
    const width = page.picture.getBoundingClientRect().width;
    const pixel = width === 0 ? 1 : frameHw[1] / width;
    const trailFrames = wholeNumber(page.trail);
    this.#view?.draw(context, { trailFrames, pixel, marked: this.#marked });
    this.#pointer.draw(context, pixel);
    context.resetTransform();
  }

  /** @param {number} frame */
  #shown(frame) {
    const last = (this.clip?.clip.frames ?? 1) - 1;
    page.frame.max = String(last);
    page.frame.value = String(frame);
    page.frame.setAttribute("aria-valuetext", `frame ${frame} of ${last}`);
    page.frameText.textContent = `${frame} / ${last}`;
    page.picture.setAttribute("aria-label", `Picture, frame ${frame} of ${last}`);
    this.redraw();
  }
}
