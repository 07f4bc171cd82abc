// What this site serves besides the page: site.json, written by `locoexport demo`.

import { DemoError } from "../engine/errors.js";

/** @typedef {import("../engine/model_source.js").ModelSource} ModelSource */
/**
 * @typedef {object} Site
 * @property {ModelSource} model
 * @property {string} about what has to be said of the model
 * @property {{ name: string, load: (signal: AbortSignal) => Promise<Blob> } | null} clip the built-in one
 */

const SCHEMA = "locoexport.demo/1";

/** @returns {Promise<Site>} */
export async function readSite() {
  const response = await fetch("site.json");
  if (!response.ok) throw new DemoError(`site.json cannot be loaded (HTTP ${response.status}).`);
  const site = await response.json();
  if (site.schema !== SCHEMA) {
    throw new DemoError(`site.json is ${site.schema}, not ${SCHEMA}; export the page again.`);
  }
  /** @type {ModelSource["files"]} */
  const files = {};
  for (const [part, path] of Object.entries(site.model.files)) {
    files[/** @type {"whole"} */ (part)] = new URL(/** @type {string} */ (path), location.href).href;
  }
  const about = site.model.seeded ? " (untrained weights: its tracks mean nothing)" : "";
  return {
    model: { name: site.model.name, files },
    about,
    clip: site.clip && {
      name: site.clip.name,
      load: (signal) => load(site.clip.path, signal),
    },
  };
}

/** @param {string} path @param {AbortSignal} signal */
async function load(path, signal) {
  const response = await fetch(path, { signal });
  if (!response.ok) throw new DemoError(`${path} cannot be loaded (HTTP ${response.status}).`);
  return response.blob();
}
