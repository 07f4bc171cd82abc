// The three files of a live export, open: locoexport/runtime/live/session.py in JavaScript.

import * as ort from "../packages/onnxruntime-web/ort.wasm.min.mjs";
import { DemoError } from "./errors.js";
import { openSessions, pick, shapeOf } from "./model.js";

/** @typedef {import("./model.js").ModelFiles} ModelFiles */
/** @typedef {import("./model.js").Sessions} Sessions */
/** @typedef {import("../packages/onnxruntime-web/ort.wasm.min.mjs").InferenceSession} Session */
/** @typedef {import("../packages/onnxruntime-web/ort.wasm.min.mjs").Tensor} Tensor */
/** @typedef {Record<string, Tensor>} Grids of one frame */
/** @typedef {{ data: Float32Array, cells: number }} Support of points: (points, cells) values */
/** @typedef {Record<string, Support>} Supports */
/**
 * @typedef {object} LiveAnswer of the newest frame
 * @property {Float32Array} xy (points, 2) in the model's pixels
 * @property {Float32Array} occlusion (points) logits
 * @property {Float32Array} expectedDist (points) logits
 * @property {Float32Array} memory (points, past, channels)
 */

const OUTPUTS = ["tracks", "occlusion", "expected_dist", "next_memory"];
/** Around a point, 7×7. */
const SUPPORT_CELLS = 49;

/**
 * @param {ModelFiles} files
 * @param {string} name
 * @param {number} threads
 */
export async function openLiveModel(files, name, threads) {
  return new LiveModel(await openSessions(files, name, threads), name, threads);
}

/** Grids of a frame, supports of points, an answer. */
export class LiveModel {
  #encoder;
  #query;
  #live;

  /**
   * @param {Sessions} sessions
   * @param {string} name
   * @param {number} threads
   */
  constructor({ encoder, query, live }, name, threads) {
    const video = encoder && shapeOf(encoder, "video_input");
    const memory = live && shapeOf(live, "memory");
    const named = live && OUTPUTS.every((output) => live.outputNames.includes(output));
    if (!encoder || !query || !live || !video || memory?.length !== 4 || !named) {
      throw new DemoError(
        `${name} is not a live export, which is NAME.encoder.onnx, NAME.query.onnx and NAME.live.onnx. ` +
          "`locoexport export --live open` makes them.",
      );
    }
    const [height, width] = [video[2], video[3]];
    const [, points, past, channels] = memory;
    if (typeof height !== "number" || typeof width !== "number" || typeof channels !== "number") {
      throw new DemoError(`${name}: sizes of video_input and memory must be fixed.`);
    }
    if (typeof points === "number") {
      throw new DemoError(
        `${name} is fixed to ${points} points; here they come and go. Export it with --points dynamic.`,
      );
    }
    this.#encoder = encoder;
    this.#query = query;
    this.#live = live;
    this.name = name;
    this.threads = threads;
    /** @type {import("./preprocessing.js").Size} */
    this.resolutionHw = [height, width];
    this.memoryChannels = channels;
    /** Frames that it looks at, the newest included; null where any number goes. */
    this.window = typeof past === "number" ? past + 1 : null;
  }

  /**
   * @param {Float32Array} video (height, width, 3) in [-1, 1]
   * @returns {Promise<Grids>}
   */
  async encode(video) {
    const input = new ort.Tensor("float32", video, [1, 1, ...this.resolutionHw, 3]);
    return this.#encoder.run({ video_input: input }, this.#encoder.outputNames);
  }

  /**
   * @param {Grids} grids
   * @param {Float32Array} queriesTyx (points, 3) in the model's pixels, t 0
   * @returns {Promise<Supports>}
   */
  async sample(grids, queriesTyx) {
    const points = queriesTyx.length / 3;
    const query = new ort.Tensor("float32", queriesTyx, [1, points, 3]);
    const { inputNames, outputNames } = this.#query;
    const found = await this.#query.run(pick({ ...grids, query_input: query }, inputNames), outputNames);
    return Object.fromEntries(
      outputNames.map((name) => {
        const data = /** @type {Float32Array} */ (found[name].data);
        return [name, { data, cells: data.length / points }];
      }),
    );
  }

  /**
   * Where points are in the frame of those grids.
   * @param {Grids} grids
   * @param {Supports} supports
   * @param {Float32Array} queriesTyx (points, 3), t counted from the newest frame: 0 pins a point
   * @param {Float32Array} memory (points, past, channels); zeros where a point was not there yet
   * @param {number} past
   * @returns {Promise<LiveAnswer>}
   */
  async follow(grids, supports, queriesTyx, memory, past) {
    const points = queriesTyx.length / 3;
    /** @type {Record<string, Tensor>} */
    const feeds = { ...grids };
    for (const [name, { data, cells }] of Object.entries(supports)) {
      const shape = [1, points, SUPPORT_CELLS, cells / SUPPORT_CELLS];
      feeds[name] = new ort.Tensor("float32", data, shape);
    }
    feeds.query_input = new ort.Tensor("float32", queriesTyx, [1, points, 3]);
    feeds.memory = new ort.Tensor("float32", memory, [1, points, past, this.memoryChannels]);
    const found = await this.#live.run(pick(feeds, this.#live.inputNames), OUTPUTS);
    const [xy, occlusion, expectedDist, next] = OUTPUTS.map(
      (name) => /** @type {Float32Array} */ (found[name].data),
    );
    if (!xy.every(Number.isFinite)) {
      throw new DemoError(
        `${this.name} answers NaN or infinity; the file is broken. Run \`locoexport verify\` on it.`,
      );
    }
    return { xy, occlusion, expectedDist, memory: next };
  }
}
