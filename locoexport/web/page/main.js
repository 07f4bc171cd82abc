// The page: what each control does, and what is shown. Nothing here computes.

import { Clip } from "../engine/clip.js";
import { inWords } from "../engine/errors.js";
import { drawQueries, drawTracks } from "./overlay.js";
import { modelFromFiles } from "./model_files.js";
import { listPoints, page, saveFile, wholeNumber } from "./elements.js";
import { PicturePointer } from "./picture.js";
import { Player } from "./player.js";
import { gridQueries, QuerySet } from "../engine/queries.js";
import { recordOverlay } from "./recording.js";
import { readSite } from "./site.js";
import { Cancelled, Tracker } from "../engine/tracker.js";
import { tracksToCsv, tracksToJson } from "../engine/tracks.js";
import { modelText, resultText } from "./wording.js";

/** @typedef {import("../engine/queries.js").QueryPoint} QueryPoint */
/** @typedef {import("../engine/tracks.js").Tracks} Tracks */
/** @typedef {import("../engine/tracker.worker.js").ModelFacts} ModelFacts */
/** @typedef {import("../engine/tracker.worker.js").ModelSource} ModelSource */

const parameters = new URLSearchParams(location.search);
const queries = new QuerySet();
/** @type {Clip | null} */
let clip = null;
/** @type {Player | null} */
let player = null;
/** @type {Tracker | null} */
let tracker = null;
/** @type {ModelFacts | null} of the tracker's model */
let facts = null;
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
  if (shown.width === 0) {
    // The cache gave it back meanwhile; it is decoded again.
    if (recording === null) void player.seek(player.frame);
    return;
  }
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
 * Track with another model from now on; where it cannot be opened, the last one stays.
 * @param {ModelSource} source
 * @param {string} about
 */
async function openModel(source, about) {
  const before = page.modelText.textContent;
  page.modelText.textContent = `Loading ${source.name}…`;
  const opening = new Tracker(source, Number(parameters.get("threads")) || null);
  try {
    const opened = await opening.open();
    if (opened === null) return;
    tracker?.close();
    tracker = opening;
    facts = opened;
    page.modelText.textContent = modelText(source.name + about, opened);
    page.encodeLabel.hidden = page.steps.encode.hidden = !opened.split;
    page.refineLabel.textContent = opened.split ? "Refine tracks" : "Encode and refine";
  } catch (error) {
    page.modelText.textContent = tracker === null ? "No model." : before;
    throw error;
  } finally {
    refresh();
  }
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
  if (tracks !== null && tracks.points > queries.points.length) {
    tracks = null;
    page.resultText.textContent = "";
  }
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
    page.resultText.textContent = resultText(done, facts);
    say(`Tracked. ${done.warning}`);
  } finally {
    working = false;
    page.progress.hidden = true;
    refresh();
  }
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
  const fields = "input:not([type=range]), select, summary";
  const field = event.target instanceof Element && event.target.closest(fields);
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
