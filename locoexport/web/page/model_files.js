// Model files that the user chose: one, or the three of a split export.

import { DemoError } from "../engine/errors.js";

/** @typedef {import("../engine/model_source.js").ModelSource} ModelSource */

const PARTS = /** @type {const} */ (["encoder", "query", "tracker"]);

/**
 * @param {File[]} files
 * @returns {ModelSource}
 */
export function modelFromFiles(files) {
  /** @type {ModelSource["files"]} */
  const parts = {};
  for (const part of PARTS) {
    const found = files.find((file) => file.name.endsWith(`.${part}.onnx`));
    if (found) parts[part] = found;
  }
  const missing = PARTS.filter((part) => parts[part] === undefined);
  if (missing.length === 0) return { name: files[0].name, files: parts };
  if (missing.length < PARTS.length) {
    throw new DemoError(
      `A split export is three files; choose ${missing.map((part) => `NAME.${part}.onnx`).join(" and ")} as well.`,
    );
  }
  return { name: files[0].name, files: { whole: files[0] } };
}
