// One clip through one model: locoexport/runtime/tracking/run.py in JavaScript.

import { DemoError } from "./errors.js";
import { scaleQueriesToModel, scaleTracksToVideo } from "./preprocessing.js";
import { Stitcher } from "./stitching.js";
import { isVisible } from "./visibility.js";
import { readWindows, windowSize } from "./windows.js";

/** @typedef {import("./clip.js").Clip} Clip */
/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./model.js").Prepared} Prepared */
/** @typedef {import("./stitching.js").Request} Request */
/** @typedef {import("./tracks.js").Tracks} Tracks */
/** @typedef {import("./windows.js").Window} Window */
/** @typedef {import("./windows.js").WindowSize} WindowSize */
/** @typedef {"decode" | "encode" | "refine"} Step */
/** @typedef {(step: Step, done: number, total: number) => void} Report */
/** @typedef {Record<Step, number>} Seconds */

export const POINTS_PER_CALL = 64;

/** A run over one clip; `run` once. */
export class Tracking {
  #model;
  #clip;
  #queries;
  #size;
  #report;
  /** @type {{ video: Float32Array, tensors: Prepared } | null} */
  #prepared = null;
  #encoded = 0;
  #decoded = 0;
  #refined = 0;
  #frames;
  #xy;
  #confidence;
  /** @type {Seconds} */
  seconds = { decode: 0, encode: 0, refine: 0 };

  /**
   * @param {Model} model
   * @param {Clip} clip
   * @param {Float32Array} queriesTyx (points, 3) in the clip's pixels
   * @param {number} windowFrames
   * @param {Report} report
   */
  constructor(model, clip, queriesTyx, windowFrames, report) {
    this.#model = model;
    this.#clip = clip;
    this.#queries = queriesTyx;
    this.#size = windowSize(model.fixedFrames ?? Math.max(2, windowFrames));
    this.#report = report;
    const points = queriesTyx.length / 3;
    // Of the clip's own count: it falls where damage is found on the way.
    this.#frames = clip.frames;
    this.#xy = new Float32Array(points * clip.frames * 2).fill(NaN);
    this.#confidence = new Float32Array(points * clip.frames).fill(NaN);
    this.total = clip.frames;
  }

  /** @returns {Promise<Tracks>} */
  async run() {
    const model = scaleQueriesToModel(
      this.#queries, this.#clip.frameHw, this.#model.resolutionHw,
    );
    const begins = await this.#forwards(model);
    if (begins.some((first) => first > 0)) await this.#backwards(model, begins);
    return this.#tracks();
  }

  /**
   * Track from each query on.
   * @param {Float32Array} queries
   * @returns {Promise<number[]>} the first frame that each point has
   */
  async #forwards(queries) {
    const stitcher = new Stitcher(queries, this.#size);
    const points = queries.length / 3;
    /** @type {number[]} */
    const begins = Array(points).fill(Infinity);
    let frames = 0;
    for await (const window of this.#windows(this.#clip.rgba(0, Infinity))) {
      this.#checkLength(window);
      frames = window.end;
      const answer = await this.#track(stitcher, window);
      for (let point = 0; point < points; point++) {
        for (let step = 0; step < window.frames; step++) {
          if (!answer.isNew[point * window.frames + step]) continue;
          begins[point] = Math.min(begins[point], window.start);
          this.#write(point, window.start + step, answer, point * window.frames + step);
        }
      }
    }
    this.#checkTimes(frames);
    return begins;
  }

  /**
   * Track points that began late through all frames before that, last frame first: the pass
   * forwards over the clip in reverse; only what is still missing is kept.
   * @param {Float32Array} queries
   * @param {number[]} begins
   */
  async #backwards(queries, begins) {
    const rows = [...begins.keys()].filter((point) => begins[point] > 0);
    const late = Float32Array.from(rows.flatMap((row) => [...queries.slice(3 * row, 3 * row + 3)]));
    const latest = Math.max(...rows.map((row) => queries[3 * row]));
    const half = Math.floor(this.#size.frames / 2);
    const reach = Math.max(Math.ceil(latest) + half, this.#size.frames - 1);
    const newest = Math.min(reach, this.#clip.frames - 1);
    for (let i = 0; i < late.length; i += 3) late[i] = newest - late[i];
    const stitcher = new Stitcher(late, this.#size);
    this.total += newest + 1;
    for await (const window of this.#windows(this.#reversed(newest + 1))) {
      const answer = await this.#track(stitcher, window);
      rows.forEach((point, row) => {
        for (let step = 0; step < window.frames; step++) {
          const time = newest - window.start - step;
          const at = row * window.frames + step;
          if (answer.isNew[at] && time < begins[point]) this.#write(point, time, answer, at);
        }
      });
    }
  }

  /** @param {number} end */
  async *#reversed(end) {
    for (let stop = end; stop > 0; stop -= this.#size.frames) {
      const block = [];
      for await (const frame of this.#clip.rgba(Math.max(0, stop - this.#size.frames), stop)) {
        block.push(frame.slice());
      }
      yield* block.reverse();
    }
  }

  /** @param {AsyncGenerator<Uint8ClampedArray>} frames */
  #windows(frames) {
    const counted = this.#counted(frames);
    return readWindows(counted, this.#clip.frameHw, this.#model.resolutionHw, this.#size);
  }

  /** @param {AsyncGenerator<Uint8ClampedArray>} frames */
  async *#counted(frames) {
    for (;;) {
      const began = performance.now();
      const next = await frames.next();
      this.seconds.decode += (performance.now() - began) / 1000;
      if (next.done) return;
      this.#report("decode", ++this.#decoded, this.total);
      yield next.value;
    }
  }

  /**
   * @param {Stitcher} stitcher
   * @param {Window} window
   */
  async #track(stitcher, window) {
    const active = stitcher.begin(window);
    let done = 0;
    const perCall = this.#model.fixedPoints ?? POINTS_PER_CALL;
    for (const request of stitcher.requests(window, perCall)) {
      const prepared = await this.#prepare(request, window);
      const began = performance.now();
      const answer = await this.#model.run(prepared, request.queriesTyx);
      this.seconds.refine += (performance.now() - began) / 1000;
      stitcher.answer(request, answer.xy, answer.confidence);
      done += request.points.length;
      const fresh = (window.end - window.commitFrom) * (done / active);
      this.#report("refine", Math.floor(this.#refined + fresh), this.total);
    }
    this.#refined += window.end - window.commitFrom;
    this.#prepared = null;
    return stitcher.finish(window);
  }

  /**
   * What the model makes of a window's frames, once for all chunks of points.
   * @param {Request} request
   * @param {Window} window
   */
  async #prepare(request, window) {
    if (this.#prepared?.video !== request.video) {
      this.#prepared = null; // the last window's goes before this one's comes
      const began = performance.now();
      const fresh = (window.end - window.commitFrom) / window.frames;
      const tensors = await this.#model.prepare(request.video, window.frames, (done) =>
        this.#report("encode", Math.floor(this.#encoded + done * fresh), this.total),
      );
      this.#encoded = Math.max(this.#encoded, Math.min(this.total, window.end));
      this.seconds.encode += (performance.now() - began) / 1000;
      this.#prepared = { video: request.video, tensors };
    }
    return this.#prepared.tensors;
  }

  /**
   * @param {number} point
   * @param {number} time
   * @param {{ xy: Float32Array, confidence: Float32Array }} answer
   * @param {number} from
   */
  #write(point, time, answer, from) {
    const at = point * this.#frames + time;
    this.#xy.set(answer.xy.subarray(2 * from, 2 * from + 2), 2 * at);
    this.#confidence[at] = answer.confidence[from];
  }

  /** @param {Window} window */
  #checkLength(window) {
    const fixed = this.#model.fixedFrames;
    if (fixed !== null && window.frames < fixed) {
      throw new DemoError(
        `The clip has ${window.end} frames, but ${this.#model.name} is fixed to ${fixed}. Choose ` +
          "a longer clip, or export with --frames dynamic.",
      );
    }
  }

  /** @param {number} frames */
  #checkTimes(frames) {
    for (let i = 0; i < this.#queries.length; i += 3) {
      if (this.#queries[i] > frames - 1) {
        throw new DemoError(
          `Point ${i / 3} is on frame ${this.#queries[i]}, but only ${frames} frames can be decoded.`,
        );
      }
    }
  }

  /** @returns {Tracks} */
  #tracks() {
    const { frames, fps, frameHw } = this.#clip;
    const xy = this.#kept(this.#xy, frames, 2);
    const confidence = this.#kept(this.#confidence, frames, 1);
    return {
      points: this.#queries.length / 3,
      frames,
      xy: scaleTracksToVideo(xy, this.#model.resolutionHw, frameHw),
      visible: Uint8Array.from(confidence, (value) => Number(isVisible(value))),
      confidence,
      queryPoints: this.#queries,
      fps,
      timeS: this.#clip.timesS?.slice(0, frames),
    };
  }

  /**
   * The first frames of every point.
   * @param {Float32Array} values (points, frames of the clip as it said, size)
   * @param {number} frames
   * @param {number} size
   */
  #kept(values, frames, size) {
    if (frames === this.#frames) return values;
    const [row, kept] = [this.#frames * size, frames * size];
    const points = this.#queries.length / 3;
    return Float32Array.from(
      { length: points * kept },
      (_, i) => values[Math.floor(i / kept) * row + (i % kept)],
    );
  }
}
