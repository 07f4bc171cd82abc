// The worker in which the model runs, so that the page stays alive. The page ends it to cancel.

import { Clip } from "./clip.js";
import { DemoError, inWords } from "./errors.js";
import { openModel, threadsToUse } from "./model.js";
import { filesOf } from "./model_source.js";
import { Tracking } from "./tracking.js";

/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./model_source.js").ModelSource} ModelSource */
/** @typedef {import("./tracks.js").Tracks} Tracks */
/** @typedef {import("./tracking.js").Seconds} Seconds */
/** @typedef {import("./tracking.js").Step} Step */
/**
 * @typedef {object} ModelFacts
 * @property {readonly [number, number]} resolutionHw
 * @property {number} threads
 * @property {boolean} split
 * @property {number | null} fixedFrames
 * @property {number} seconds that opening took
 */
/**
 * @typedef {{ kind: "open", model: ModelSource, threads: number | null }
 *   | { kind: "track", file: Blob, name: string, queriesTyx: Float32Array, windowFrames: number }
 * } Order
 */
/**
 * @typedef {{ kind: "opened", facts: ModelFacts }
 *   | { kind: "progress", step: Step, done: number, total: number }
 *   | { kind: "tracked", tracks: Tracks, seconds: Seconds & { all: number }, warning: string }
 *   | { kind: "failed", message: string }
 * } Report
 */

/** @type {Model | null} */
let model = null;

self.addEventListener("message", async (/** @type {MessageEvent<Order>} */ { data: order }) => {
  try {
    if (order.kind === "open") await open(order.model, order.threads);
    else await track(order.file, order.name, order.queriesTyx, order.windowFrames);
  } catch (error) {
    console.error(error);
    say({ kind: "failed", message: inWords(error) });
  }
});

/**
 * @param {ModelSource} source
 * @param {number | null} threads
 */
async function open(source, threads) {
  const began = performance.now();
  model = await openModel(await filesOf(source), source.name, threadsToUse(threads));
  const { resolutionHw, split, fixedFrames } = model;
  const seconds = (performance.now() - began) / 1000;
  const facts = { resolutionHw, threads: model.threads, split, fixedFrames, seconds };
  say({ kind: "opened", facts });
}

/**
 * @param {Blob} file
 * @param {string} name
 * @param {Float32Array} queriesTyx
 * @param {number} windowFrames
 */
async function track(file, name, queriesTyx, windowFrames) {
  if (model === null) throw new DemoError("No model is open.");
  const began = performance.now();
  const clip = await Clip.open(file, name);
  const tracking = new Tracking(model, clip, queriesTyx, windowFrames, (step, done, total) =>
    say({ kind: "progress", step, done, total }),
  );
  const tracks = await tracking.run();
  const seconds = { ...tracking.seconds, all: (performance.now() - began) / 1000 };
  say({ kind: "tracked", tracks, seconds, warning: clip.warning });
}

/** @param {Report} report */
function say(report) {
  self.postMessage(report);
}
