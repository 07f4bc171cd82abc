// Points followed frame by frame: locoexport/runtime/live/tracker.py in JavaScript.

import { DemoError } from "./errors.js";
import { scaleQueriesToModel, scaleTracksToVideo, toModelInput } from "./preprocessing.js";
import { confidenceOf, isVisible } from "./visibility.js";

/** @typedef {import("./live_model.js").Grids} Grids */
/** @typedef {import("./live_model.js").LiveAnswer} LiveAnswer */
/** @typedef {import("./live_model.js").Supports} Supports */
/** @typedef {import("./preprocessing.js").Size} Size */
/** @typedef {Pick<import("./live_model.js").LiveModel, "encode" | "sample" | "follow" | "resolutionHw" | "memoryChannels" | "window">} Model */
/** @typedef {{ ids: number[], supports: Supports | null, memory: Float32Array }} Points rising ids */
/**
 * @typedef {object} LiveTracks where every point is in one frame
 * @property {number[]} ids as `add` gave them, in that order
 * @property {Float32Array} xy (points, 2) in pixels of the frame
 * @property {Uint8Array} visible (points)
 * @property {Float32Array} confidence (points) in 0..1
 * @property {number} frameIndex from 0
 */

/** Frames that are looked at, the newest included. */
export const DEFAULT_LIVE_WINDOW = 8;

/**
 * Follows points through a stream of frames, each answered from itself and from what was said of
 * the `window - 1` frames before: memory and time are the same for ever. One call at a time.
 */
export class LiveTracker {
  #model;
  #past;
  #nextId = 0;
  /** @type {Points} */
  #points = nobody();
  /** @type {Grids[]} of the newest frame, and of the one before: that one may still be shown */
  #grids = [];
  /** @type {Size | null} */
  #frameHw = null;
  #frameIndex = -1;
  #video;

  /**
   * @param {Model} model
   * @param {number | null} window null is what the file is fixed to, or 8
   */
  constructor(model, window = null) {
    this.#model = model;
    this.window = window ?? model.window ?? DEFAULT_LIVE_WINDOW;
    if (model.window !== null && model.window !== this.window) {
      throw new DemoError(`The model looks at ${model.window} frames, not ${this.window}.`);
    }
    this.#past = this.window - 1;
    const [height, width] = model.resolutionHw;
    this.#video = new Float32Array(height * width * 3);
  }

  /** Of the newest frame; -1 before the first. */
  get frameIndex() {
    return this.#frameIndex;
  }

  /** Of the points that are followed. */
  get ids() {
    return [...this.#points.ids];
  }

  /**
   * Follow points from now on.
   * @param {Float32Array} pointsYx (points, 2) in pixels of the newest frame, or of the one before
   * @param {number} ago 0 where they are in the newest frame, 1 in the one before
   * @returns {Promise<number[]>} their ids
   */
  async add(pointsYx, ago = 0) {
    const from = this.#grids[ago];
    if (from === undefined || this.#frameHw === null) {
      throw new DemoError("A point needs a frame that it is in; wait for the camera's first one.");
    }
    const count = pointsYx.length / 2;
    if (count === 0) return [];
    const queries = scaleQueriesToModel(pinned(pointsYx), this.#frameHw, this.#model.resolutionHw);
    const supports = await this.#model.sample(from, queries);
    // What would stand in memory, had they been there when that frame came.
    /** @type {Float32Array} */
    let memory = new Float32Array(count * this.#past * this.#model.memoryChannels);
    for (let frame = ago; frame >= 0; frame--) {
      const asked = frame === ago ? queries : unpinned(count);
      memory = (await this.#follow(this.#grids[frame], supports, asked, memory)).memory;
    }
    const ids = Array.from({ length: count }, () => this.#nextId++);
    this.#points = joined(this.#points, { ids, supports, memory });
    return ids;
  }

  /**
   * Follow points no more; an id that is not there is nobody's.
   * @param {number[]} ids
   */
  remove(ids) {
    const gone = new Set(ids);
    this.#points = kept(this.#points, (id) => !gone.has(id));
  }

  /** Forget all points and frames. */
  reset() {
    this.#points = nobody();
    this.#grids = [];
    this.#frameHw = null;
    this.#frameIndex = -1;
  }

  /**
   * Where every point is in the next frame.
   * @param {Uint8ClampedArray | Uint8Array} rgba (height, width, 4)
   * @param {Size} frameHw
   * @returns {Promise<LiveTracks>}
   */
  async push(rgba, frameHw) {
    const before = this.#frameHw;
    if (before !== null && (before[0] !== frameHw[0] || before[1] !== frameHw[1])) {
      throw new DemoError(
        `A frame is ${frameHw.join("×")} where those before were ${before.join("×")}.`,
      );
    }
    toModelInput(rgba, frameHw, this.#model.resolutionHw, this.#video);
    const grids = await this.#model.encode(this.#video);
    const { ids, supports, memory } = this.#points;
    /** @type {LiveAnswer | null} */
    let answer = null;
    if (supports !== null) answer = await this.#follow(grids, supports, unpinned(ids.length), memory);
    // Only now, so that a frame which failed leaves everything as it was.
    if (answer !== null) this.#points = { ids, supports, memory: answer.memory };
    this.#grids = [grids, ...this.#grids.slice(0, 1)];
    this.#frameHw = frameHw;
    this.#frameIndex++;
    return this.#said(answer, frameHw);
  }

  /**
   * @param {Grids} grids
   * @param {Supports} supports
   * @param {Float32Array} queriesTyx
   * @param {Float32Array} memory
   */
  #follow(grids, supports, queriesTyx, memory) {
    return this.#model.follow(grids, supports, queriesTyx, memory, this.#past);
  }

  /**
   * @param {LiveAnswer | null} answer
   * @param {Size} frameHw
   * @returns {LiveTracks}
   */
  #said(answer, frameHw) {
    const { occlusion, expectedDist } = answer ?? { occlusion: [], expectedDist: [] };
    const confidence = Float32Array.from(occlusion, (logit, i) => confidenceOf(logit, expectedDist[i]));
    const xy = answer?.xy ?? new Float32Array(0);
    return {
      ids: [...this.#points.ids],
      xy: scaleTracksToVideo(xy, this.#model.resolutionHw, frameHw),
      visible: Uint8Array.from(confidence, (value) => Number(isVisible(value))),
      confidence,
      frameIndex: this.#frameIndex,
    };
  }
}

/** @returns {Points} */
function nobody() {
  return { ids: [], supports: null, memory: new Float32Array(0) };
}

/** @param {Float32Array} pointsYx queries of the newest frame */
function pinned(pointsYx) {
  return Float32Array.from({ length: (pointsYx.length / 2) * 3 }, (_, i) =>
    i % 3 === 0 ? 0 : pointsYx[2 * Math.floor(i / 3) + (i % 3) - 1],
  );
}

/** @param {number} count queries of points that were asked for earlier */
function unpinned(count) {
  return new Float32Array(3 * count).fill(-1);
}

/** @param {Points} points @param {Points} others @returns {Points} */
function joined(points, others) {
  const { supports } = points;
  if (supports === null || others.supports === null) return others;
  return {
    ids: [...points.ids, ...others.ids],
    supports: Object.fromEntries(
      Object.entries(others.supports).map(([name, { data, cells }]) => [
        name,
        { data: concatenated(supports[name].data, data), cells },
      ]),
    ),
    memory: concatenated(points.memory, others.memory),
  };
}

/** @param {Points} points @param {(id: number) => boolean} stays @returns {Points} */
function kept({ ids, supports, memory }, stays) {
  const rows = [...ids.keys()].filter((row) => stays(ids[row]));
  if (supports === null || rows.length === 0) return nobody();
  return {
    ids: rows.map((row) => ids[row]),
    supports: Object.fromEntries(
      Object.entries(supports).map(([name, { data, cells }]) => [
        name,
        { data: rowsOf(data, cells, rows), cells },
      ]),
    ),
    memory: rowsOf(memory, memory.length / ids.length, rows),
  };
}

/** @param {Float32Array} first @param {Float32Array} second */
function concatenated(first, second) {
  const both = new Float32Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** @param {Float32Array} data @param {number} size of a row @param {number[]} rows */
function rowsOf(data, size, rows) {
  const found = new Float32Array(rows.length * size);
  rows.forEach((row, i) => found.set(data.subarray(row * size, (row + 1) * size), i * size));
  return found;
}
