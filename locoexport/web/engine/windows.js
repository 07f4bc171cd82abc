// A clip cut into windows over time that overlap: locoexport/runtime/tracking/windows.py in JavaScript.

import { toModelInput } from "./preprocessing.js";

/** @typedef {import("./preprocessing.js").Size} Size */
/** @typedef {{ frames: number, overlap: number }} WindowSize */

/**
 * Some frames in a row, as the model takes them.
 * @typedef {object} Window
 * @property {number} start index of the first one in the clip
 * @property {number} end one behind the last
 * @property {number} commitFrom the first frame whose tracks are not final yet
 * @property {number} frames
 * @property {Float32Array} video (frames, height, width, 3) in [-1, 1]
 */

export const DEFAULT_WINDOW = 48;

/**
 * Windows that share a third: long enough to see a point that is hidden for a moment.
 * @param {number} frames
 * @returns {WindowSize}
 */
export function windowSize(frames) {
  return { frames, overlap: Math.max(1, Math.floor(frames / 3)) };
}

/**
 * Windows of exactly `size.frames`, of which the last reaches further back where it must. Only a
 * clip that is shorter than one window gives a shorter one.
 * @param {AsyncIterator<Uint8ClampedArray>} frames RGBA
 * @param {Size} frameHw
 * @param {Size} modelHw
 * @param {WindowSize} size
 * @returns {AsyncGenerator<Window>}
 */
export async function* readWindows(frames, frameHw, modelHw, size) {
  const pixels = modelHw[0] * modelHw[1] * 3;
  /** @type {Window | null} */
  let previous = null;
  for (;;) {
    const wanted = previous === null ? size.frames : size.frames - size.overlap;
    /** @type {Float32Array[]} */
    const fresh = [];
    while (fresh.length < wanted) {
      const next = await frames.next();
      if (next.done) break;
      const input = new Float32Array(pixels);
      toModelInput(next.value, frameHw, modelHw, input);
      fresh.push(input);
    }
    if (fresh.length === 0) return;
    previous = joined(previous, fresh, size, pixels);
    yield previous;
  }
}

/**
 * @param {Window | null} previous
 * @param {Float32Array[]} fresh
 * @param {WindowSize} size
 * @param {number} pixels
 * @returns {Window}
 */
function joined(previous, fresh, size, pixels) {
  const shared = previous === null ? 0 : size.frames - fresh.length;
  const frames = shared + fresh.length;
  const video = new Float32Array(frames * pixels);
  fresh.forEach((frame, i) => video.set(frame, (shared + i) * pixels));
  if (previous === null) return { start: 0, end: frames, commitFrom: 0, frames, video };
  const first = previous.frames - shared;
  video.set(previous.video.subarray(first * pixels), 0);
  const start = previous.start + first;
  const commitFrom = previous.end - size.overlap;
  return { start, end: start + frames, commitFrom, frames, video };
}
