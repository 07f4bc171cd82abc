// An exported file, or the three of a split export, opened in onnxruntime-web.

import * as ort from "../packages/onnxruntime-web/ort.wasm.min.mjs";
import { DemoError } from "./errors.js";
import { confidenceOf } from "./visibility.js";

/** @typedef {import("./preprocessing.js").Size} Size */
/** @typedef {import("../packages/onnxruntime-web/ort.wasm.min.mjs").InferenceSession} Session */
/** @typedef {import("../packages/onnxruntime-web/ort.wasm.min.mjs").Tensor} Tensor */
/** @typedef {"whole" | "encoder" | "query" | "tracker" | "live"} Part */
/** @typedef {Partial<Record<Part, ArrayBuffer>>} ModelFiles the single file, or three parts */
/** @typedef {Partial<Record<Part, Session>>} Sessions */
/** @typedef {(done: number, total: number) => void} Progress */
/** @typedef {{ xy: Float32Array, confidence: Float32Array }} Answer model's pixels; 0..1 */
/** @typedef {Record<string, Tensor>} Prepared a window's frames, as `run` takes them */

const OUTPUTS = ["tracks", "occlusion", "expected_dist"];
/** As many frames go through a split's encoder at once, as in the Python runtime. */
const ENCODED_AT_ONCE = 4;

/**
 * Threads that this page may use: more than one needs SharedArrayBuffer, and that an isolated page.
 * @param {number | null} asked
 */
export function threadsToUse(asked) {
  if (!globalThis.crossOriginIsolated) return 1;
  return asked ?? Math.min(8, navigator.hardwareConcurrency || 1);
}

/**
 * @param {ModelFiles} files
 * @param {string} name
 * @param {number} threads
 * @returns {Promise<Model>}
 */
export async function openModel(files, name, threads) {
  return new Model(await openSessions(files, name, threads), name, threads);
}

/**
 * @param {ModelFiles} files
 * @param {string} name
 * @param {number} threads
 */
export async function openSessions(files, name, threads) {
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = "error";
  /** @type {Sessions} */
  const sessions = {};
  for (const [part, bytes] of Object.entries(files)) {
    sessions[/** @type {Part} */ (part)] = await openSession(new Uint8Array(bytes), name);
  }
  return sessions;
}

/**
 * @param {Uint8Array} bytes
 * @param {string} name
 */
async function openSession(bytes, name) {
  try {
    return await ort.InferenceSession.create(bytes, {
      executionProviders: ["wasm"],
      graphOptimizationLevel: "all",
      enableMemPattern: false,
    });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    if (!/ERROR_CODE|protobuf|parse|model/i.test(text)) throw error;
    throw new DemoError(
      `${name} is not a model that ONNX Runtime can open (${text.replace(/\s+/g, " ")}). ` +
        "If it was cut short or is no ONNX file, export it again with `locoexport export`.",
    );
  }
}

/** An open model: `prepare` a window's frames once, then `run` points through them. */
export class Model {
  #sessions;
  /** @type {Size} */
  resolutionHw;

  /**
   * @param {Sessions} sessions
   * @param {string} name
   * @param {number} threads
   */
  constructor(sessions, name, threads) {
    this.#sessions = sessions;
    this.name = name;
    this.threads = threads;
    const first = sessions.whole ?? sessions.encoder;
    const last = sessions.whole ?? sessions.tracker;
    const video = first && shapeOf(first, "video_input");
    if (first && typeOf(first, "video_input") === "uint8") {
      throw new DemoError(
        `${name} takes frames of any size as uint8, which this page does not; export it with ` +
          "--input float32.",
      );
    }
    const queries = last && shapeOf(last, "query_input");
    const outputs = last ? last.outputNames : [];
    if (!video || !queries || !OUTPUTS.every((output) => outputs.includes(output))) {
      throw new DemoError(
        `${name} is not an exported tracker, which has video_input, query_input and ` +
          `${OUTPUTS.join(", ")}. Export one with \`locoexport export\`.`,
      );
    }
    const [batch, frames, height, width] = video;
    if (typeof height !== "number" || typeof width !== "number") {
      throw new DemoError(`${name}: the height and width of video_input must be fixed.`);
    }
    if (typeof batch === "number" && batch !== 1) {
      throw new DemoError(`${name} is fixed to ${batch} videos at once; export it with --batch 1.`);
    }
    this.resolutionHw = [height, width];
    this.fixedFrames = typeof frames === "number" ? frames : null;
    this.fixedPoints = typeof queries[1] === "number" ? queries[1] : null;
  }

  /** Whether frames are encoded apart from points. */
  get split() {
    return this.#sessions.encoder !== undefined;
  }

  /**
   * What `run` takes in place of a window's frames; a split export encodes them here.
   * @param {Float32Array} video (frames, height, width, 3) in [-1, 1]
   * @param {number} frames
   * @param {Progress} progress
   * @returns {Promise<Prepared>}
   */
  async prepare(video, frames, progress) {
    const shape = [1, frames, ...this.resolutionHw, 3];
    const encoder = this.#sessions.encoder;
    if (!encoder) return { video_input: new ort.Tensor("float32", video, shape) };
    const pixels = video.length / frames;
    const step = this.fixedFrames ?? ENCODED_AT_ONCE;
    /** @type {Record<string, { data: Float32Array, shape: number[] }>} */
    const grids = {};
    for (let start = 0; start < frames; start += step) {
      const count = Math.min(step, frames - start);
      const part = video.subarray(start * pixels, (start + count) * pixels);
      const input = new ort.Tensor("float32", part, [1, count, ...this.resolutionHw, 3]);
      const found = await encoder.run({ video_input: input });
      for (const name of encoder.outputNames) {
        const data = /** @type {Float32Array} */ (found[name].data);
        const size = data.length / count;
        grids[name] ??= {
          data: new Float32Array(size * frames),
          shape: [1, frames, ...found[name].dims.slice(2)],
        };
        grids[name].data.set(data, start * size);
      }
      progress(start + count, frames);
    }
    return Object.fromEntries(
      encoder.outputNames.map((name) => [name, new ort.Tensor("float32", grids[name].data, grids[name].shape)]),
    );
  }

  /**
   * Track points through prepared frames. A model of fixed points gets the last one repeated.
   * @param {Prepared} prepared
   * @param {Float32Array} queriesTyx (points, 3) in the model's pixels
   * @returns {Promise<Answer>}
   */
  async run(prepared, queriesTyx) {
    const count = queriesTyx.length / 3;
    const padded = this.#padded(queriesTyx);
    const query = new ort.Tensor("float32", padded, [1, padded.length / 3, 3]);
    const outputs = await this.#answer({ ...prepared, query_input: query });
    const tracks = /** @type {Float32Array} */ (outputs.tracks.data);
    const occlusion = /** @type {Float32Array} */ (outputs.occlusion.data);
    const expectedDist = /** @type {Float32Array} */ (outputs.expected_dist.data);
    const frames = outputs.occlusion.dims[2];
    const confidence = new Float32Array(count * frames);
    for (let i = 0; i < confidence.length; i++) {
      confidence[i] = confidenceOf(occlusion[i], expectedDist[i]);
    }
    const xy = tracks.slice(0, 2 * count * frames);
    if (!xy.every(Number.isFinite) || !confidence.every(Number.isFinite)) {
      throw new DemoError(
        `${this.name} answers NaN or infinity; the file is broken. Run \`locoexport verify\` on it.`,
      );
    }
    return { xy, confidence };
  }

  /** @param {Record<string, Tensor>} feeds */
  async #answer(feeds) {
    const { whole, query, tracker } = this.#sessions;
    if (whole) return whole.run(feeds, OUTPUTS);
    if (!query || !tracker) throw new DemoError(`${this.name} lacks a part of its split export.`);
    // What one part gives the next takes: of two levels there is more than of one.
    const supports = await query.run(pick(feeds, query.inputNames), query.outputNames);
    return tracker.run(pick({ ...feeds, ...supports }, tracker.inputNames), OUTPUTS);
  }

  /** @param {Float32Array} queriesTyx */
  #padded(queriesTyx) {
    const points = this.fixedPoints ?? queriesTyx.length / 3;
    const last = queriesTyx.length - 3;
    return Float32Array.from({ length: points * 3 }, (_, i) =>
      i < queriesTyx.length ? queriesTyx[i] : queriesTyx[last + (i % 3)],
    );
  }
}

/**
 * @param {Record<string, Tensor>} tensors
 * @param {readonly string[]} names
 */
export function pick(tensors, names) {
  return Object.fromEntries(names.map((name) => [name, tensors[name]]));
}

/**
 * @param {Session} session
 * @param {string} name
 */
function typeOf(session, name) {
  const found = session.inputMetadata.find((input) => input.name === name);
  return found?.isTensor ? found.type : undefined;
}

/**
 * @param {Session} session
 * @param {string} name
 */
export function shapeOf(session, name) {
  const found = session.inputMetadata.find((input) => input.name === name);
  return found?.isTensor ? found.shape : undefined;
}
