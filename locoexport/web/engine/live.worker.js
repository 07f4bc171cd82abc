// The worker in which a live model runs. Orders are answered one after the other, in their order.

import { DemoError, inWords } from "./errors.js";
import { LiveTracker } from "./live.js";
import { openLiveModel } from "./live_model.js";
import { threadsToUse } from "./model.js";
import { filesOf } from "./model_source.js";

/** @typedef {import("./live.js").LiveTracks} LiveTracks */
/** @typedef {import("./model_source.js").ModelSource} ModelSource */
/**
 * @typedef {object} LiveFacts
 * @property {readonly [number, number]} resolutionHw
 * @property {number} window frames that are looked at
 * @property {number} threads
 * @property {number} seconds that opening took
 */
/**
 * @typedef {{ kind: "open", model: ModelSource, threads: number | null }
 *   | { kind: "push", picture: ImageBitmap }
 *   | { kind: "add", pointsYx: Float32Array, frameIndex: number }
 *   | { kind: "remove", ids: number[] }
 *   | { kind: "reset" }
 * } LiveOrder
 */
/**
 * @typedef {{ kind: "opened", facts: LiveFacts }
 *   | { kind: "answered", tracks: LiveTracks, picture: ImageBitmap, ms: number }
 *   | { kind: "added", ids: number[] }
 *   | { kind: "done" }
 *   | { kind: "failed", message: string }
 * } LiveReport
 */

/** @type {LiveTracker | null} */
let tracker = null;
const canvas = new OffscreenCanvas(1, 1);
const context = canvas.getContext("2d", { willReadFrequently: true });
let last = Promise.resolve();

self.addEventListener("message", (/** @type {MessageEvent<LiveOrder>} */ { data: order }) => {
  last = last.then(() => obey(order)).catch((error) => {
    console.error(error);
    say({ kind: "failed", message: inWords(error) });
  });
});

/** @param {LiveOrder} order */
async function obey(order) {
  if (order.kind === "open") {
    say({ kind: "opened", facts: await open(order.model, order.threads) });
    return;
  }
  if (tracker === null) throw new DemoError("No live model is open.");
  if (order.kind === "push") {
    const began = performance.now();
    const { picture } = order;
    const tracks = await tracker.push(pixelsOf(picture), [picture.height, picture.width]);
    say({ kind: "answered", tracks, picture, ms: performance.now() - began }, [picture]);
  } else if (order.kind === "add") {
    const ago = tracker.frameIndex - order.frameIndex;
    say({ kind: "added", ids: await tracker.add(order.pointsYx, Math.min(Math.max(ago, 0), 1)) });
  } else {
    if (order.kind === "remove") tracker.remove(order.ids);
    else tracker.reset();
    say({ kind: "done" });
  }
}

/**
 * @param {ModelSource} source
 * @param {number | null} threads
 * @returns {Promise<LiveFacts>}
 */
async function open(source, threads) {
  const began = performance.now();
  const model = await openLiveModel(await filesOf(source), source.name, threadsToUse(threads));
  tracker = new LiveTracker(model);
  const seconds = (performance.now() - began) / 1000;
  return { resolutionHw: model.resolutionHw, window: tracker.window, threads: model.threads, seconds };
}

/** @param {ImageBitmap} picture */
function pixelsOf(picture) {
  const { width, height } = picture;
  if (context === null) throw new DemoError("This browser gives a worker no canvas to read a frame.");
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  context.drawImage(picture, 0, 0);
  return context.getImageData(0, 0, width, height).data;
}

/**
 * @param {LiveReport} report
 * @param {Transferable[]} moved
 */
function say(report, moved = []) {
  self.postMessage(report, { transfer: moved });
}
