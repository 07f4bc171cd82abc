// Where a model's files come from: addresses of this site, or files that the user chose.

import { DemoError } from "./errors.js";

/** @typedef {import("./model.js").Part} Part */
/** @typedef {{ name: string, files: Partial<Record<Part, string | Blob>> }} ModelSource */

/**
 * The bytes of a model's files.
 * @param {ModelSource} source
 */
export async function filesOf(source) {
  /** @type {import("./model.js").ModelFiles} */
  const files = {};
  for (const [part, place] of Object.entries(source.files)) {
    files[/** @type {Part} */ (part)] = await bytesOf(place);
  }
  return files;
}

/** @param {string | Blob} place */
async function bytesOf(place) {
  if (place instanceof Blob) return place.arrayBuffer();
  const response = await fetch(place);
  if (!response.ok) {
    throw new DemoError(`The model ${place} cannot be loaded (HTTP ${response.status}).`);
  }
  return response.arrayBuffer();
}
