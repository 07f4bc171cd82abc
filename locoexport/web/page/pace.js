// How far a run is between its reports, and how long it takes still. A model answers a window of
// frames at once, so a bar that showed reports alone would stand still for seconds.

/** @typedef {import("../engine/tracking.js").Step} Step */

/** @typedef {import("../engine/windows.js").WindowSize} WindowSize */

/** So much of a window is taken for done at most, while no report says so. */
const MOST_UNTOLD = 0.96;
/** From here on the bar slows down within a window. */
const EASED = 0.8;
/** A window that takes so many times as long as expected makes the time left a guess: none is said. */
const OVERDUE = 1.15;

export class Pace {
  #size;
  #expectedMs;
  #began;
  /** @type {Record<Step, number>} frames */
  #done = { decode: 0, encode: 0, refine: 0 };
  #total = 0;
  /** When the window that is in the tracker got there. */
  #since;
  /** When the last frames were through. */
  #through = 0;
  #shown = 0;

  /**
   * @param {number} now in milliseconds, like all times here
   * @param {WindowSize} size
   * @param {number} windowMs what a whole window may take
   */
  constructor(now, size, windowMs) {
    this.#began = now;
    this.#since = now;
    this.#size = size;
    this.#expectedMs = windowMs;
  }

  /**
   * @param {number} now
   * @param {Step} step
   * @param {number} done frames
   * @param {number} total frames
   */
  report(now, step, done, total) {
    this.#total = total;
    if (done <= this.#done[step]) return;
    this.#done[step] = done;
    if (step === "refine") this.#through = now;
    if (step !== "encode") this.#since = now;
  }

  /** What a window takes, in milliseconds: measured as soon as one is through. */
  get windowMs() {
    const windows = this.#windows(this.#done.refine);
    return windows > 0 ? (this.#through - this.#began) / windows : this.#expectedMs;
  }

  /**
   * @param {number} now
   * @returns {{ part: number, leftMs: number | null }} of the whole run, 0 to 1, never less than
   *   before; null where it cannot be told
   */
  at(now) {
    if (this.#total === 0) return { part: 0, leftMs: null };
    const { windowMs } = this;
    const done = this.#windows(this.#done.refine);
    const inside = Math.max(0, this.#windows(this.#done.decode) - done);
    const spent = inside === 0 ? 0 : (now - this.#since) / (windowMs * inside);
    const known = done + inside * eased(spent);
    const all = this.#windows(this.#total);
    this.#shown = Math.max(this.#shown, Math.min(1, known / all));
    return { part: this.#shown, leftMs: spent > OVERDUE ? null : windowMs * (all - known) };
  }

  /** How many windows so many frames are: each behind the first brings fewer new ones. @param {number} frames */
  #windows(frames) {
    const first = Math.min(this.#size.frames, this.#total);
    if (frames <= first) return frames / first;
    return 1 + (frames - first) / (this.#size.frames - this.#size.overlap);
  }
}

/** @param {number} part of what is expected @returns {number} 0 to `MOST_UNTOLD` */
function eased(part) {
  if (part <= EASED) return part;
  return EASED + (MOST_UNTOLD - EASED) * (1 - Math.exp(-(part - EASED) / (MOST_UNTOLD - EASED)));
}

/** @param {number | null} leftMs */
export function leftText(leftMs) {
  if (leftMs === null) return "";
  const seconds = Math.ceil(leftMs / 1000);
  if (seconds <= 1) return "about 1 s left";
  if (seconds < 60) return `about ${seconds} s left`;
  return `about ${Math.ceil(seconds / 60)} min left`;
}
