// The page: what each control does, and what is shown. Nothing here computes.

import { Clip } from "./clip.js";
import { inWords } from "./errors.js";
import { drawQueries, drawTracks } from "./overlay.js";
import { listPoints, page, saveFile, wholeNumber } from "./page.js";
import { PicturePointer } from "./picture.js";
import { Player } from "./player.js";
import { gridQueries, QuerySet } from "./queries.js";
import { recordOverlay } from "./recording.js";
import { readSite } from "./site.js";
import { Cancelled, Tracker } from "./tracker.js";
import { tracksToCsv, tracksToJson } from "./tracks.js";
import { modelFromFiles } from "./model_files.js";

/** @typedef {import("./queries.js").QueryPoint} QueryPoint */
/** @typedef {import("./tracks.js").Tracks} Tracks */
/** @typedef {import("./tracker.worker.js").ModelSource} ModelSource */

const parameters = new URLSearchParams(location.search);
const queries = new QuerySet();
/** @type {Clip | null} */
let clip = null;
/** @type {Player | null} */
let player = null;
/** @type {Tracker | null} */
let tracker = null;
/** @type {Tracks | null} of the first points of `queries` */
let tracks = null;
/** @type {ImageBitmap | null} what is shown */
let shown = null;
/** @type {AbortController | null} while the overlay is recorded */
let recording = null;
let working = false;

const pointer = new PicturePointer(page.picture, {
  point: ({ y, x }) => addPoints([{ t: player?.frame ?? 0, y: Math.fround(y), x: Math.fround(x) }]),
  box: (box) => {
    const side = wholeNumber(page.side);
    addPoints(gridQueries(side, side, box, player?.frame ?? 0));
  },
  say,
  redraw,
});

/** @param {string} text */
function say(text) {
  page.status.textContent = text;
}

/** @param {unknown} error */
function fail(error) {
  if (error instanceof Cancelled) {
    say("Cancelled.");
    return;
  }
  console.error(error);
  page.error.textContent = inWords(error);
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
  const ready = clip !== null && !working;
  const points = queries.points.length;
  page.pointsSet.disabled = !ready;
  page.trackSet.disabled = clip === null;
  page.track.disabled = working || tracker === null || points === 0;
  page.cancel.disabled = !working;
  page.window.disabled = working;
  page.undo.disabled = page.clear.disabled = points === 0;
  page.viewSet.disabled = clip === null;
  page.saveSet.disabled = tracks === null || working;
  page.clipFile.disabled = page.builtIn.disabled = page.modelFile.disabled = working;
  for (const control of [page.previous, page.play, page.next, page.frame]) {
    control.disabled = clip === null || recording !== null;
  }
  page.play.textContent = player?.playing ? "Pause" : "Play";
  listPoints(queries.points);
  redraw();
}

function redraw() {
  const context = page.picture.getContext("2d");
  if (context === null || shown === null || player === null) return;
  drawFrame(context, shown, player.frame);
  const pixel = scaleOfScreen();
  pointer.draw(context, pixel);
  context.resetTransform();
}

/** Pixels of the clip in one of the screen. */
function scaleOfScreen() {
  const width = page.picture.getBoundingClientRect().width;
  return clip === null || width === 0 ? 1 : clip.frameHw[1] / width;
}

/**
 * A frame and what is known on it; the context is left scaled to the clip's pixels.
 * @param {CanvasRenderingContext2D} context
 * @param {ImageBitmap} picture
 * @param {number} frame
 */
function drawFrame(context, picture, frame) {
  if (clip === null) return;
  const { width, height } = context.canvas;
  context.resetTransform();
  context.drawImage(picture, 0, 0, width, height);
  context.scale(width / clip.frameHw[1], height / clip.frameHw[0]);
  if (tracks !== null) {
    drawTracks(context, tracks, frame, clip.frameHw, wholeNumber(page.trail));
  }
  drawQueries(context, queries.points.slice(tracks?.points ?? 0), frame, clip.frameHw);
}

/** @param {ImageBitmap} picture @param {number} frame */
function show(picture, frame) {
  shown = picture;
  const last = (clip?.frames ?? 1) - 1;
  page.frame.max = String(last);
  page.frame.value = String(frame);
  page.frame.setAttribute("aria-valuetext", `frame ${frame} of ${last}`);
  page.frameText.textContent = `${frame} / ${last}`;
  page.picture.setAttribute("aria-label", `Picture, frame ${frame} of ${last}`);
  redraw();
}

/**
 * Show a clip in place of the last one.
 * @param {Blob} file
 * @param {string} name
 */
async function openClip(file, name) {
  say(`Opening ${name}…`);
  const opened = await Clip.open(file, name);
  player?.close();
  clip = opened;
  tracks = null;
  shown = null;
  queries.clear();
  const [height, width] = opened.frameHw;
  const scale = Math.min(4, Math.max(1, Math.ceil(960 / width)));
  const shrink = Math.min(1, 1280 / Math.max(height, width));
  page.picture.width = Math.round(width * scale * shrink);
  page.picture.height = Math.round(height * scale * shrink);
  page.picture.hidden = false;
  page.empty.hidden = true;
  page.drop.classList.add("filled");
  pointer.reset(opened.frameHw);
  player = new Player(opened, show, refresh, fail);
  player.speed = Number(page.speed.value);
  const fps = Number(opened.fps.toFixed(2));
  page.clipText.textContent = `${name}: ${opened.frames} frames of ${height}×${width}, ${fps} a second.`;
  page.resultText.textContent = "";
  say(`${name} is open. Choose points.`);
  await player.seek(0);
  refresh();
}

/**
 * @param {ModelSource} source
 * @param {string} about
 */
async function openModel(source, about) {
  tracker?.cancel();
  page.modelText.textContent = `Loading ${source.name}…`;
  const asked = Number(parameters.get("threads")) || null;
  const opening = new Tracker(source, asked);
  tracker = null;
  refresh();
  try {
    const facts = await opening.open();
    if (facts === null) return;
    tracker = opening;
    const [height, width] = facts.resolutionHw;
    const parts = facts.split ? "in three files" : "in one file";
    page.modelText.textContent =
      `${source.name}${about}, ${height}×${width}, ${parts}; opened in ` +
      `${facts.seconds.toFixed(1)} s. ${threadsText(facts.threads)}`;
  } catch (error) {
    page.modelText.textContent = "No model.";
    throw error;
  } finally {
    refresh();
  }
}

/** @param {number} threads */
function threadsText(threads) {
  if (globalThis.crossOriginIsolated) {
    return `WebAssembly, ${threads} thread${threads === 1 ? "" : "s"}.`;
  }
  return (
    "WebAssembly, 1 thread: this page is not isolated, so the browser gives it no " +
    "SharedArrayBuffer. A host that sends the headers in README.txt makes it faster."
  );
}

/** @param {QueryPoint[]} points */
function addPoints(points) {
  if (clip === null || working) return;
  queries.add(points);
  const [first] = points;
  say(
    points.length === 1
      ? `Point added on frame ${first.t} at x ${first.x.toFixed(1)}, y ${first.y.toFixed(1)}.`
      : `${points.length} points added on frame ${first.t}.`,
  );
  refresh();
}

function undo() {
  const taken = queries.undo();
  if (tracks !== null && tracks.points > queries.points.length) tracks = null;
  say(taken.length === 0 ? "Nothing to undo." : `Taken back: ${taken.length}.`);
  refresh();
}

function clear() {
  queries.clear();
  tracks = null;
  page.resultText.textContent = "";
  say("No points.");
  refresh();
}

async function track() {
  if (clip === null || tracker === null || working || queries.points.length === 0) return;
  working = true;
  player?.pause();
  page.progress.hidden = false;
  for (const bar of Object.values(page.steps)) bar.value = 0;
  say("Tracking…");
  refresh();
  try {
    const frames = Number(page.window.value);
    const [file, name] = [clip.file, clip.name];
    const done = await tracker.track(file, name, queries.toArray(), frames, (step, at, total) => {
      page.steps[step].value = at / total;
    });
    tracks = done.tracks;
    clip.frames = tracks.frames;
    page.resultText.textContent = resultText(done);
    say(`Tracked. ${done.warning}`);
  } finally {
    working = false;
    page.progress.hidden = true;
    refresh();
  }
}

/** @param {import("./tracker.js").Tracked} done */
function resultText({ tracks: { points, frames }, seconds }) {
  const each = ((1000 * seconds.all) / frames).toFixed(0);
  const threads = page.modelText.textContent?.match(/\d+ thread/)?.[0] ?? "1 thread";
  const parts = ["decode", "encode", "refine"]
    .map((step) => `${step} ${seconds[/** @type {"decode"} */ (step)].toFixed(1)}`)
    .join(", ");
  return (
    `${points} points through ${frames} frames in ${seconds.all.toFixed(1)} s (${parts}): ` +
    `${each} ms a frame, in WebAssembly, ${threads}${threads === "1 thread" ? "" : "s"}.`
  );
}

async function saveVideo() {
  if (clip === null || player === null || tracks === null) return;
  const open = clip;
  const source = player;
  const canvas = document.createElement("canvas");
  // Encoders want even sides.
  [canvas.height, canvas.width] = open.frameHw.map((side) => side + (side % 2));
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  working = true;
  recording = new AbortController();
  source.pause();
  refresh();
  try {
    say("Recording the overlay, as long as the clip is…");
    const draw = async (/** @type {number} */ frame) => {
      const picture = await source.picture(frame);
      if (picture !== null) drawFrame(context, picture, frame);
    };
    const film = await recordOverlay(canvas, open.frames, open.fps, draw, recording.signal);
    saveFile(film, `${stem()}.tracked.${film.type.endsWith("mp4") ? "mp4" : "webm"}`);
    say("The overlay is saved.");
  } finally {
    working = false;
    recording = null;
    refresh();
  }
}

function cancel() {
  recording?.abort();
  if (working && recording === null) tracker?.cancel();
}

function stem() {
  return (clip?.name ?? "clip").replace(/\.[^.]*$/, "");
}

/** @param {string} text @param {string} kind @param {string} suffix */
function saveText(text, kind, suffix) {
  saveFile(new Blob([text], { type: kind }), `${stem()}.tracks.${suffix}`);
}

/** @type {Record<string, () => unknown>} */
const KEYS = {
  " ": () => player?.toggle(),
  ",": () => player?.step(-1),
  ".": () => player?.step(1),
  u: undo,
  t: track,
  Escape: cancel,
};

/** @param {KeyboardEvent} event */
function pressed(event) {
  const field = event.target instanceof Element && event.target.closest("input, select, summary");
  const onButton = event.target instanceof HTMLButtonElement && event.key === " ";
  if ((field && event.key !== "Escape") || onButton) return;
  if (event.altKey || event.metaKey || (event.ctrlKey && event.key !== "z")) return;
  const action = event.ctrlKey ? undo : KEYS[event.key];
  if (action === undefined || (working && event.key !== "Escape")) return;
  event.preventDefault();
  void attempt(action);
}

/** @param {FileList | null | undefined} files */
function chosen(files) {
  const given = [...(files ?? [])];
  if (given.length === 0 || working) return;
  const models = given.filter((file) => file.name.endsWith(".onnx"));
  void attempt(() =>
    models.length > 0
      ? openModel(modelFromFiles(models), "")
      : openClip(given[0], given[0].name),
  );
}

function listen() {
  /** @param {HTMLElement} control @param {() => unknown} action */
  const onClick = (control, action) =>
    control.addEventListener("click", () => void attempt(action));
  onClick(page.previous, () => player?.step(-1));
  onClick(page.next, () => player?.step(1));
  onClick(page.play, () => player?.toggle());
  onClick(page.undo, undo);
  onClick(page.clear, clear);
  onClick(page.grid, () => {
    if (clip === null) return;
    const side = wholeNumber(page.side);
    const [height, width] = clip.frameHw;
    addPoints(gridQueries(side, side, { top: 0, left: 0, height, width }, player?.frame ?? 0));
  });
  onClick(page.track, track);
  onClick(page.cancel, cancel);
  onClick(page.saveCsv, () => tracks && saveText(tracksToCsv(tracks), "text/csv", "csv"));
  onClick(page.saveJson, () => tracks && saveText(tracksToJson(tracks), "application/json", "json"));
  onClick(page.saveVideo, saveVideo);
  page.frame.addEventListener("input", () => {
    player?.pause();
    void player?.seek(Number(page.frame.value));
  });
  page.speed.addEventListener("change", () => {
    if (player) player.speed = Number(page.speed.value);
  });
  page.trail.addEventListener("input", redraw);
  for (const field of [page.clipFile, page.modelFile]) {
    field.addEventListener("change", () => {
      chosen(field.files);
      field.value = ""; // the same file may be chosen again
    });
  }
  document.addEventListener("keydown", pressed);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    page.drop.classList.add("over");
  });
  document.addEventListener("dragleave", () => page.drop.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    page.drop.classList.remove("over");
    chosen(event.dataTransfer?.files);
  });
  new ResizeObserver(redraw).observe(page.picture);
}

async function start() {
  listen();
  refresh();
  const site = await readSite();
  page.builtIn.hidden = site.clip === null;
  page.builtIn.addEventListener("click", () => void attempt(openBuiltIn));
  const openBuiltIn = async () => {
    if (site.clip !== null) await openClip(await site.clip.load(), site.clip.name);
  };
  await Promise.all([attempt(() => openModel(site.model, site.about)), attempt(openBuiltIn)]);
}

void attempt(start);
