// What this site serves besides the page: site.json, written by `locoexport demo`.

import { DemoError } from "../engine/errors.js";

/** @typedef {import("../engine/model_source.js").ModelSource} ModelSource */
/**
 * @typedef {object} Site
 * @property {ModelSource | null} model for clips
 * @property {string} about what has to be said of that model
 * @property {ModelSource | null} live for the camera
 * @property {SiteClip | null} clip the one that the page opens with
 */
/**
 * @typedef {object} SiteClip
 * @property {string} name
 * @property {string} credit whose it is; empty where nobody has to be named
 * @property {number} frame that is shown first
 * @property {[number, number][]} pointsYx of that frame, added by one click; maybe none
 * @property {(signal: AbortSignal) => Promise<Blob>} load
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
  const about = site.model?.seeded ? " (untrained weights: its tracks mean nothing)" : "";
  return {
    model: site.model && sourceOf(site.model),
    about,
    live: (site.live ?? null) && sourceOf(site.live),
    clip: site.clip && {
      name: site.clip.name,
      credit: site.clip.credit ?? "",
      frame: site.clip.frame ?? 0,
      pointsYx: site.clip.points_yx ?? [],
      load: (signal) => load(site.clip.path, signal),
    },
  };
}

/**
 * @param {{ name: string, files: Record<string, string> }} model
 * @returns {ModelSource}
 */
function sourceOf({ name, files }) {
  const places = Object.entries(files).map(([part, path]) => [part, new URL(path, location.href).href]);
  return { name, files: Object.fromEntries(places) };
}

/** @param {string} path @param {AbortSignal} signal */
async function load(path, signal) {
  const response = await fetch(path, { signal });
  if (!response.ok) throw new DemoError(`${path} cannot be loaded (HTTP ${response.status}).`);
  return response.blob();
}
