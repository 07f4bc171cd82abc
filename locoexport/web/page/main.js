// The page: what each control does, and which are offered. Nothing here computes.

import { inWords } from "../engine/errors.js";
import { Cancelled } from "../engine/tracker.js";
import { tracksToCsv, tracksToJson } from "../engine/tracks.js";
import { listenForDrops, page } from "./elements.js";
import { actionOf } from "./keys.js";
import { modelFromFiles } from "./model_files.js";
import { Replaced } from "./orders.js";
import { PointList } from "./point_list.js";
import { readSite } from "./site.js";
import { Stage } from "./stage.js";
import { listenForTheme } from "./theme.js";
import { CAMERA, RECORDING, Work } from "./work.js";

/** @typedef {import("./site.js").SiteClip} SiteClip */

const stage = new Stage({ changed: refresh, failed: fail, say, attempt, refused: () => work.refusal });
const work = new Work(stage, say, refresh);
const list = new PointList(
  stage.colours,
  (point) => stage.remove(point),
  (point) => stage.mark(point),
);
const { orders } = work;
/** @type {SiteClip | null} */
let builtIn = null;

/** @param {string} text */
function say(text) {
  page.status.textContent = text;
}

/** @param {unknown} error */
function fail(error) {
  if (error instanceof Replaced) return; // the newer order speaks
  if (error instanceof Cancelled) {
    say(error.message);
    return;
  }
  console.error(error);
  say("");
  page.error.textContent = inWords(error);
  page.error.scrollIntoView({ block: "nearest" });
}

/**
 * Run what a control asks for; errors end up on the page.
 * @param {() => unknown} action
 */
async function attempt(action) {
  page.error.textContent = "";
  try {
    await action();
  } catch (error) {
    fail(error);
  }
}

function refresh() {
  const { clip, live, player, points } = stage;
  const working = orders.running !== null;
  const none = points.length === 0;
  page.modelText.textContent = work.aboutModel;
  page.pointsSet.disabled = live === null && (clip === null || work.refusal !== null);
  page.grid.disabled = page.pointsSet.disabled;
  page.undo.disabled = none;
  page.clear.disabled = page.pointsSet.disabled || none;
  page.track.disabled = clip === null || working || none || !work.hasModel;
  page.cancel.hidden = page.cancel.disabled = !orders.busy;
  page.window.disabled = working;
  page.saveSet.disabled = !clip?.tracks || working;
  page.camera.textContent = orders.running === CAMERA ? "Stop camera" : "Camera";
  page.camera.disabled = working && orders.running !== CAMERA;
  page.clipFile.disabled = page.builtIn.disabled = page.modelFile.disabled = working;
  for (const control of [page.previous, page.play, page.next, page.frame]) {
    control.disabled = clip === null || orders.running === RECORDING || live !== null;
  }
  page.play.classList.toggle("playing", player?.playing ?? false);
  page.playText.textContent = player?.playing ? "Pause" : "Play";
  page.hint.hidden = (clip === null && live === null) || !none;
  const example = live === null && stage.example !== null;
  page.gridText.textContent = example && stage.example?.pointsYx.length ? "Example" : "Grid";
  page.builtIn.hidden = builtIn === null || (clip !== null && stage.example !== null);
  page.credit.hidden = !example || page.credit.textContent === "";
  refreshProgress();
  list.show(points);
  stage.redraw();
}

/** A run that tells how far it is has a bar that fills; anything else that takes time, one that moves. */
function refreshProgress() {
  page.progress.hidden = !orders.busy || orders.running === CAMERA;
  if (orders.busy && !work.paced) page.progress.removeAttribute("value");
}

async function undo() {
  const count = await stage.undo();
  if (!stage.clip?.tracks && stage.live === null) page.resultText.textContent = "";
  say(count === 0 ? "Nothing to undo." : `Taken back: ${count}.`);
  refresh();
}

async function clear() {
  await stage.clear();
  if (stage.live === null) page.resultText.textContent = "";
  say("No points.");
  refresh();
}

/** @type {Record<string, () => unknown>} */
const KEYS = {
  " ": () => stage.player?.toggle(),
  ",": () => stage.player?.step(-1),
  ".": () => stage.player?.step(1),
  u: undo,
  t: () => work.track(),
  Escape: () => orders.cancel(),
};

/** @param {KeyboardEvent} event */
function pressed(event) {
  const action = actionOf(event, KEYS);
  const free = orders.running === null || (stage.live !== null && action === undo);
  if (action === undefined || (!free && event.key !== "Escape")) return;
  event.preventDefault();
  void attempt(action);
}

/** @param {FileList | null | undefined} files */
function chosen(files) {
  const given = [...(files ?? [])];
  if (given.length === 0) return;
  const models = given.filter((file) => file.name.endsWith(".onnx"));
  void attempt(() =>
    models.length > 0
      ? work.openModel(modelFromFiles(models))
      : work.openClip(given[0].name, () => given[0]),
  );
}

function openBuiltIn() {
  return builtIn && work.openClip(builtIn.name, builtIn.load, builtIn);
}

/** @param {(tracks: import("../engine/tracks.js").Tracks) => string} text @param {string} suffix */
function saveTracks(text, suffix) {
  const tracks = stage.clip?.tracks;
  const kind = suffix === "csv" ? "text/csv" : "application/json";
  if (tracks) work.saveText(text(tracks), kind, suffix);
}

function listen() {
  /** @param {HTMLElement} control @param {() => unknown} action */
  const onClick = (control, action) =>
    control.addEventListener("click", () => void attempt(action));
  onClick(page.previous, () => stage.player?.step(-1));
  onClick(page.next, () => stage.player?.step(1));
  onClick(page.play, () => stage.player?.toggle());
  onClick(page.undo, undo);
  onClick(page.clear, clear);
  onClick(page.grid, () => stage.addExample());
  onClick(page.camera, () => work.toggleCamera());
  onClick(page.builtIn, openBuiltIn);
  onClick(page.track, () => work.track());
  onClick(page.cancel, () => orders.cancel());
  onClick(page.saveCsv, () => saveTracks(tracksToCsv, "csv"));
  onClick(page.saveJson, () => saveTracks(tracksToJson, "json"));
  onClick(page.saveVideo, () => work.saveVideo());
  page.frame.addEventListener("input", () => {
    stage.player?.pause();
    void stage.player?.seek(Number(page.frame.value));
  });
  page.speed.addEventListener("change", () => {
    if (stage.player) stage.player.speed = Number(page.speed.value);
  });
  page.trail.addEventListener("input", () => stage.redraw());
  for (const field of [page.clipFile, page.modelFile]) {
    field.addEventListener("change", () => {
      chosen(field.files);
      field.value = ""; // the same file may be chosen again
    });
  }
  document.addEventListener("keydown", pressed);
  listenForDrops(chosen);
  listenForTheme(page.theme);
}

async function start() {
  listen();
  refresh();
  const site = await readSite();
  work.offerLive(site.live);
  builtIn = site.clip;
  // What the user chose before site.json was there is not replaced.
  if (stage.clip === null && orders.opening("clip") === null) void attempt(openBuiltIn);
  if (site.model !== null && !work.hasModel) await work.openModel(site.model, site.about);
}

void attempt(start);
