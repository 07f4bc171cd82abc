// The page: what each control does, and what is shown. Nothing here computes.

import { Clip } from "../engine/clip.js";
import { DemoError, inWords } from "../engine/errors.js";
import { drawQueries, drawTracks } from "./overlay.js";
import { isLive, modelFromFiles } from "./model_files.js";
import { actionOf } from "./keys.js";
import { listenForDrops, listPoints, page, saveFile, wholeNumber } from "./elements.js";
import { Orders, Replaced } from "./orders.js";
import { PicturePointer } from "./picture.js";
import { Player } from "./player.js";
import { gridQueries, QuerySet } from "../engine/queries.js";
import { recordOverlay } from "./recording.js";
import { readSite } from "./site.js";
import { Cancelled, Tracker } from "../engine/tracker.js";
import { tracksToCsv, tracksToJson } from "../engine/tracks.js";
import { watch } from "./watching.js";
import { modelText, resultText } from "./wording.js";

/** @typedef {import("./live_view.js").LiveView} LiveView */
/** @typedef {import("../engine/queries.js").QueryPoint} QueryPoint */
/** @typedef {import("../engine/tracks.js").Tracks} Tracks */
/** @typedef {import("../engine/tracker.worker.js").ModelFacts} ModelFacts */
/** @typedef {import("../engine/model_source.js").ModelSource} ModelSource */

/** Null leaves it to the machine. */
const threads = Number(new URLSearchParams(location.search).get("threads")) || null;
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
/** @type {ModelSource | null} what the camera's points are followed with */
let liveModel = null;
/** @type {LiveView | null} while the camera runs */
let live = null;
/** What is said of the tracker's model. */
let aboutModel = "No model yet.";
const orders = new Orders(refresh);
const RECORDING = "Recording";
const CAMERA = "The camera";

const pointer = new PicturePointer(page.picture, {
  point: ({ y, x }) => addPoints([{ t: player?.frame ?? 0, y: Math.fround(y), x: Math.fround(x) }]),
  box: (box) => {
    const side = wholeNumber(page.side);
    addPoints(gridQueries(side, side, box, player?.frame ?? 0));
  },
  held: (at, reach) => {
    const id = live?.nearest(at, reach) ?? null;
    return () =>
      void attempt(async () => {
        if (id !== null) await live?.remove([id]);
        say(id === null ? "There is no point to remove." : "Point removed.");
      });
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
  const working = orders.running !== null;
  const points = (live ?? queries).points.length;
  const model = orders.opening("model");
  page.modelText.textContent = model === null ? aboutModel : `Loading ${model}…`;
  page.pointsSet.disabled =
    live === null && (clip === null || working || orders.opening("clip") !== null);
  page.trackSet.disabled = clip === null && !orders.busy;
  page.track.disabled = working || points === 0 || (tracker === null && model === null);
  page.cancel.disabled = !orders.busy;
  page.window.disabled = working;
  page.undo.disabled = page.clear.disabled = points === 0;
  page.viewSet.disabled = clip === null && live === null;
  page.saveSet.disabled = tracks === null || working;
  page.camera.textContent = orders.running === CAMERA ? "Stop camera" : "Camera";
  page.camera.disabled = working && orders.running !== CAMERA;
  page.clipFile.disabled = page.builtIn.disabled = page.modelFile.disabled = working;
  for (const control of [page.previous, page.play, page.next, page.frame]) {
    control.disabled = clip === null || orders.running === RECORDING || live !== null;
  }
  page.play.textContent = player?.playing ? "Pause" : "Play";
  listPoints((live ?? queries).points);
  redraw();
}

function redraw() {
  const context = page.picture.getContext("2d");
  if (context === null) return;
  if (live !== null) {
    live.draw(context, wholeNumber(page.trail));
    pointer.draw(context, scaleOfScreen());
    context.resetTransform();
    return;
  }
  if (shown === null || player === null) return;
  if (shown.width === 0) {
    // The cache gave it back meanwhile; it is decoded again.
    if (orders.running !== RECORDING) void player.seek(player.frame);
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
  const frameHw = live?.frameHw ?? clip?.frameHw;
  return frameHw === undefined || width === 0 ? 1 : frameHw[1] / width;
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
 * @param {string} name
 * @param {(signal: AbortSignal) => Blob | Promise<Blob>} load
 */
function openClip(name, load) {
  return orders.open("clip", name, async (signal) => {
    say(`Opening ${name}…`);
    const opened = await Clip.open(await load(signal), name);
    signal.throwIfAborted();
    await showClip(opened, signal);
  });
}

/** @param {Clip} opened @param {AbortSignal} signal */
async function showClip(opened, signal) {
  player?.close();
  clip = opened;
  tracks = null;
  shown = null;
  queries.clear();
  fitPicture(opened.frameHw);
  const [height, width] = opened.frameHw;
  player = new Player(opened, show, refresh, fail);
  player.speed = Number(page.speed.value);
  const { name, frames } = opened;
  const fps = Number(opened.fps.toFixed(2));
  page.clipText.textContent = `${name}: ${frames} frames of ${height}×${width}, ${fps} a second.`;
  page.resultText.textContent = "";
  await player.seek(0);
  signal.throwIfAborted();
  say(`${name} is open. Choose points.`);
}

/**
 * Give the picture the shape of what it shows.
 * @param {import("../engine/preprocessing.js").Size | null} frameHw null where there is nothing
 */
function fitPicture(frameHw) {
  page.picture.hidden = frameHw === null;
  page.empty.hidden = frameHw !== null;
  page.drop.classList.toggle("filled", frameHw !== null);
  if (frameHw === null) return;
  const [height, width] = frameHw;
  const scale = Math.min(4, Math.max(1, Math.ceil(960 / width)));
  const shrink = Math.min(1, 1280 / Math.max(height, width));
  page.picture.width = Math.round(width * scale * shrink);
  page.picture.height = Math.round(height * scale * shrink);
  pointer.reset(frameHw);
}

/** Begin with the camera, or end it. */
function toggleCamera() {
  if (orders.running === CAMERA) {
    orders.cancel();
    return undefined;
  }
  if (liveModel === null) {
    throw new DemoError(
      "This page has no model for a camera. Choose NAME.encoder.onnx, NAME.query.onnx and " +
        "NAME.live.onnx together as the other model; `locoexport export --live open` makes them.",
    );
  }
  const model = liveModel;
  return orders.run(CAMERA, (signal) => followCamera(model, signal), (names) =>
    say(`The camera begins when ${names.join(" and ")} is open.`),
  );
}

/**
 * Follow points through the camera's frames until it is stopped.
 * @param {ModelSource} model
 * @param {AbortSignal} signal
 */
async function followCamera(model, signal) {
  player?.pause();
  say("Opening the camera and its model…");
  await watch(model, threads, signal, {
    begun: (view, name) => {
      live = view;
      pointer.removable = true;
      refresh();
      say(`${name} is on. Tap a point to follow it; a long press takes it away. (${model.name})`);
    },
    ended: () => {
      live = null;
      pointer.removable = false;
      page.resultText.textContent = "";
      fitPicture(clip?.frameHw ?? null);
      refresh();
    },
    sized: fitPicture,
    shown: redraw,
    changed: refresh,
    timed: (text) => (page.resultText.textContent = text),
  });
}

/**
 * Track with another model from now on; where it cannot be opened, the last one stays.
 * @param {ModelSource} source
 * @param {string} about
 */
function openModel(source, about) {
  return orders.open("model", source.name, async (signal) => {
    const opening = new Tracker(source, threads);
    signal.addEventListener("abort", () => opening.close());
    const opened = await opening.open();
    signal.throwIfAborted();
    tracker?.close();
    tracker = opening;
    facts = opened;
    aboutModel = modelText(source.name + about, opened);
    page.encodeLabel.hidden = page.steps.encode.hidden = !opened.split;
    page.refineLabel.textContent = opened.split ? "Refine tracks" : "Encode and refine";
  });
}

/** @param {QueryPoint[]} points */
function addPoints(points) {
  if (live !== null) {
    void attempt(() => live?.add(points));
    return;
  }
  if (clip === null || orders.running !== null) return;
  const next = orders.opening("clip");
  if (next !== null) {
    say(`${next} is being opened. Choose points then.`);
    return;
  }
  queries.add(points);
  const [first] = points;
  say(
    points.length === 1
      ? `Point added on frame ${first.t} at x ${first.x.toFixed(1)}, y ${first.y.toFixed(1)}.`
      : `${points.length} points added on frame ${first.t}.`,
  );
  refresh();
}

async function undo() {
  if (live !== null) {
    const count = await live.undo();
    say(count === 0 ? "Nothing to undo." : `Taken back: ${count}.`);
    return;
  }
  const taken = queries.undo();
  if (tracks !== null && tracks.points > queries.points.length) {
    tracks = null;
    page.resultText.textContent = "";
  }
  say(taken.length === 0 ? "Nothing to undo." : `Taken back: ${taken.length}.`);
  refresh();
}

async function clear() {
  if (live !== null) {
    await live.clear();
    say("No points.");
    return;
  }
  queries.clear();
  tracks = null;
  page.resultText.textContent = "";
  say("No points.");
  refresh();
}

function track() {
  return orders.run("Tracking", follow, (names) =>
    say(`Tracking begins when ${names.join(" and ")} ${names.length > 1 ? "are" : "is"} open.`),
  );
}

/** @param {AbortSignal} signal */
async function follow(signal) {
  if (clip === null || tracker === null || queries.points.length === 0) {
    say("Tracking needs a clip, a model and a point.");
    return;
  }
  const used = tracker;
  signal.addEventListener("abort", () => used.close());
  player?.pause();
  page.progress.hidden = false;
  for (const bar of Object.values(page.steps)) bar.value = 0;
  say("Tracking…");
  try {
    const frames = Number(page.window.value);
    const [file, name] = [clip.file, clip.name];
    const done = await used.track(file, name, queries.toArray(), frames, (step, at, total) => {
      page.steps[step].value = at / total;
    });
    signal.throwIfAborted();
    tracks = done.tracks;
    clip.frames = tracks.frames;
    page.resultText.textContent = resultText(done, facts);
    say(`Tracked. ${done.warning}`);
  } finally {
    page.progress.hidden = true;
  }
}

function saveVideo() {
  return orders.run(RECORDING, record, (names) => say(`Waiting for ${names.join(" and ")}…`));
}

/** @param {AbortSignal} signal */
async function record(signal) {
  if (clip === null || player === null || tracks === null) return;
  const source = player;
  source.pause();
  say("Recording the overlay, as long as the clip is…");
  const film = await recordOverlay(
    clip,
    async (context, frame) => {
      const picture = await source.picture(frame);
      if (picture !== null) drawFrame(context, picture, frame);
    },
    signal,
  );
  saveFile(film, `${stem()}.tracked.${film.type.endsWith("mp4") ? "mp4" : "webm"}`);
  say("The overlay is saved.");
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
  Escape: () => orders.cancel(),
};

/** @param {KeyboardEvent} event */
function pressed(event) {
  const action = actionOf(event, KEYS);
  const free = orders.running === null || (live !== null && action === undo);
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
      ? useModel(modelFromFiles(models))
      : openClip(given[0].name, () => given[0]),
  );
}

/** @param {ModelSource} source */
function useModel(source) {
  if (!isLive(source)) return openModel(source, "");
  liveModel = source;
  say(`${source.name} is for the camera: press Camera.`);
  return undefined;
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
    const frameHw = live?.frameHw ?? clip?.frameHw;
    if (frameHw === undefined) return;
    const side = wholeNumber(page.side);
    const [height, width] = frameHw;
    addPoints(gridQueries(side, side, { top: 0, left: 0, height, width }, player?.frame ?? 0));
  });
  onClick(page.camera, toggleCamera);
  onClick(page.track, track);
  onClick(page.cancel, () => orders.cancel());
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
  listenForDrops(chosen);
  new ResizeObserver(redraw).observe(page.picture);
}

async function start() {
  listen();
  refresh();
  const site = await readSite();
  liveModel ??= site.live;
  page.builtIn.hidden = site.clip === null;
  const openBuiltIn = async () => {
    if (site.clip !== null) await openClip(site.clip.name, site.clip.load);
  };
  page.builtIn.addEventListener("click", () => void attempt(openBuiltIn));
  // What the user chose before site.json was there is not replaced.
  if (clip === null && orders.opening("clip") === null) void attempt(openBuiltIn);
  const { model } = site;
  if (model !== null && tracker === null && orders.opening("model") === null) {
    await openModel(model, site.about);
  }
}

void attempt(start);
