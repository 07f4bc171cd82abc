// What the page says of a model and of a run.

/** @typedef {import("../engine/tracker.js").Tracked} Tracked */
/** @typedef {import("../engine/tracker.worker.js").ModelFacts} ModelFacts */

/**
 * @param {string} name
 * @param {ModelFacts} opened
 */
export function modelText(name, { resolutionHw: [height, width], split, seconds, threads }) {
  const parts = split ? "in three files" : "in one file";
  const where = globalThis.crossOriginIsolated
    ? `WebAssembly, ${threadsText(threads)}.`
    : "WebAssembly, 1 thread: this page is not isolated, so the browser gives it no " +
      "SharedArrayBuffer. A host that sends the headers in README.txt makes it faster.";
  return `${name}, ${height}×${width}, ${parts}; opened in ${seconds.toFixed(1)} s. ${where}`;
}

/**
 * @param {Tracked} done
 * @param {ModelFacts | null} facts
 */
export function resultText({ tracks: { points, frames }, seconds }, facts) {
  const each = ((1000 * seconds.all) / frames).toFixed(0);
  const parts = [`decode ${seconds.decode.toFixed(1)}`];
  if (facts?.split) parts.push(`encode ${seconds.encode.toFixed(1)}`);
  parts.push(`${facts?.split ? "refine" : "encode and refine"} ${seconds.refine.toFixed(1)}`);
  return (
    `${points} ${points === 1 ? "point" : "points"} through ${frames} frames in ` +
    `${seconds.all.toFixed(1)} s (${parts.join(", ")}): ${each} ms a frame, in WebAssembly, ` +
    `${threadsText(facts?.threads ?? 1)}.`
  );
}

/**
 * @param {import("./camera/live_view.js").Speed} speed
 * @param {number} points
 * @param {import("../engine/live.worker.js").LiveFacts} facts
 */
export function speedText({ fps, ms, taken, dropped }, points, { threads, window }) {
  return (
    `${fps.toFixed(1)} frames a second with ${points} ${points === 1 ? "point" : "points"}, ` +
    `${ms.toFixed(0)} ms each; ${dropped} of ${taken + dropped} frames dropped. Window of ` +
    `${window}, WebAssembly, ${threadsText(threads)}.`
  );
}

/** @param {number} threads */
function threadsText(threads) {
  return threads === 1 ? "1 thread" : `${threads} threads`;
}
