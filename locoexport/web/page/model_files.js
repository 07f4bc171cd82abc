// Model files that the user chose: one, or the three of a split or live export.

import { DemoError } from "../engine/errors.js";

/** @typedef {import("../engine/model_source.js").ModelSource} ModelSource */

const SPLIT = /** @type {const} */ (["encoder", "query", "tracker"]);
const LIVE = /** @type {const} */ (["encoder", "query", "live"]);

/** Whether a model is one for the camera. @param {ModelSource} source */
export function isLive(source) {
  return source.files.live !== undefined;
}

/**
 * @param {File[]} files
 * @returns {ModelSource}
 */
export function modelFromFiles(files) {
  /** @type {ModelSource["files"]} */
  const parts = {};
  const wanted = files.some((file) => file.name.endsWith(".live.onnx")) ? LIVE : SPLIT;
  for (const part of wanted) {
    const found = files.find((file) => file.name.endsWith(`.${part}.onnx`));
    if (found) parts[part] = found;
  }
  const missing = wanted.filter((part) => parts[part] === undefined);
  const { name } = files.find((file) => file === parts.live) ?? files[0];
  if (missing.length === 0) return { name, files: parts };
  if (missing.length < wanted.length) {
    throw new DemoError(
      `A ${wanted === LIVE ? "live" : "split"} export is three files; choose ${missing.map((part) => `NAME.${part}.onnx`).join(" and ")} as well.`,
    );
  }
  return { name: files[0].name, files: { whole: files[0] } };
}
