// What takes time: a clip or a model opened, points tracked, an overlay recorded, the camera.

import { Clip } from "../engine/clip.js";
import { DemoError } from "../engine/errors.js";
import { Tracker } from "../engine/tracker.js";
import { windowSize } from "../engine/windows.js";
import { watch } from "./camera/watching.js";
import { page, saveFile, wholeNumber } from "./elements.js";
import { isLive } from "./model_files.js";
import { Orders } from "./orders.js";
import { leftText, Pace } from "./pace.js";
import { recordOverlay } from "./recording.js";
import { modelText, resultText } from "./wording.js";

/** @typedef {import("../engine/model_source.js").ModelSource} ModelSource */
/** @typedef {import("../engine/tracker.worker.js").ModelFacts} ModelFacts */
/** @typedef {import("./clip_view.js").ClipView} ClipView */
/** @typedef {import("./site.js").SiteClip} SiteClip */
/** @typedef {import("./stage.js").Stage} Stage */

export const RECORDING = "Recording";
export const CAMERA = "The camera";
/** Of b0-tiny at 256x256 with one thread (docs/browser.md); a run puts what it took in its place. */
const FRAME_MS = 110;
const POINTS_IN_A_CALL = 64;

/** Null leaves it to the machine. */
const threads = Number(new URLSearchParams(location.search).get("threads")) || null;
const stillness = matchMedia("(prefers-reduced-motion: reduce)");

export class Work {
  #stage;
  #say;
  #changed;
  /** @type {Tracker | null} */
  #tracker = null;
  /** @type {ModelFacts | null} of the tracker's model */
  #facts = null;
  /** @type {number | null} what a frame took in the last run, for each call of the model */
  #frameMs = null;
  /** @type {ModelSource | null} what the camera's points are followed with */
  #liveModel = null;
  /** What is said of the tracker's model. */
  #aboutModel = "No model yet.";
  orders;
  /** Whether the bar shows how far a run is. */
  paced = false;

  /**
   * @param {Stage} stage
   * @param {(text: string) => void} say
   * @param {() => void} changed what the controls offer has to be asked anew
   */
  constructor(stage, say, changed) {
    this.#stage = stage;
    this.#say = say;
    this.#changed = changed;
    this.orders = new Orders(changed);
  }

  /** Whether there is a model to track with, or will be. */
  get hasModel() {
    return this.#tracker !== null || this.orders.opening("model") !== null;
  }

  get aboutModel() {
    const opening = this.orders.opening("model");
    return opening === null ? this.#aboutModel : `Loading ${opening}…`;
  }

  /** @returns {string | null} why points of the clip may not change now */
  get refusal() {
    if (this.orders.running !== null) return `${this.orders.running} is not finished.`;
    const next = this.orders.opening("clip");
    return next && `${next} is being opened. Choose points then.`;
  }

  /** @param {ModelSource | null} source that the site brought */
  offerLive(source) {
    this.#liveModel ??= source;
  }

  /**
   * @param {string} name
   * @param {(signal: AbortSignal) => Blob | Promise<Blob>} load
   * @param {SiteClip | null} example where the site brings it
   */
  openClip(name, load, example = null) {
    return this.orders.open("clip", name, async (signal) => {
      this.#say(`Opening ${name}…`);
      const opened = await Clip.open(await load(signal), name);
      signal.throwIfAborted();
      const [height, width] = opened.frameHw;
      const fps = Number(opened.fps.toFixed(2));
      page.clipText.textContent = `${name}: ${opened.frames} frames of ${height}×${width}, ${fps} a second.`;
      page.credit.textContent = example?.credit ?? "";
      page.resultText.textContent = "";
      await this.#stage.show(opened, example);
      signal.throwIfAborted();
      this.#say(`${name} is open. Choose points.`);
    });
  }

  /**
   * Track with another model from now on; where it cannot be opened, the last one stays.
   * @param {ModelSource} source
   * @param {string} about
   */
  openModel(source, about = "") {
    if (isLive(source)) {
      this.#liveModel = source;
      this.#say(`${source.name} is for the camera: press Camera.`);
      return undefined;
    }
    return this.orders.open("model", source.name, async (signal) => {
      const opening = new Tracker(source, threads);
      signal.addEventListener("abort", () => opening.close());
      const facts = await opening.open();
      signal.throwIfAborted();
      this.#tracker?.close();
      this.#tracker = opening;
      this.#facts = facts;
      this.#frameMs = null;
      this.#aboutModel = modelText(source.name + about, facts);
    });
  }

  /** Begin with the camera, or end it. */
  toggleCamera() {
    if (this.orders.running === CAMERA) {
      this.orders.cancel();
      return undefined;
    }
    const model = this.#liveModel;
    if (model === null) {
      throw new DemoError(
        "This page has no model for a camera. Choose NAME.encoder.onnx, NAME.query.onnx and " +
          "NAME.live.onnx together as the other model; `locoexport export --live open` makes them.",
      );
    }
    return this.orders.run(CAMERA, (signal) => this.#followCamera(model, signal), (names) =>
      this.#say(`The camera begins when ${names.join(" and ")} is open.`),
    );
  }

  track() {
    return this.orders.run("Tracking", (signal) => this.#follow(signal), (names) =>
      this.#say(
        `Tracking begins when ${names.join(" and ")} ${names.length > 1 ? "are" : "is"} open.`,
      ),
    );
  }

  saveVideo() {
    return this.orders.run(RECORDING, (signal) => this.#record(signal), (names) =>
      this.#say(`Waiting for ${names.join(" and ")}…`),
    );
  }

  /** @param {string} text @param {string} kind @param {string} suffix */
  saveText(text, kind, suffix) {
    saveFile(new Blob([text], { type: kind }), `${this.#stem}.tracks.${suffix}`);
  }

  /** @param {AbortSignal} signal */
  async #follow(signal) {
    const [view, used, facts] = [this.#stage.clip, this.#tracker, this.#facts];
    if (view === null || used === null || facts === null || view.points.length === 0) {
      this.#say("Tracking needs a clip, a model and a point.");
      return;
    }
    signal.addEventListener("abort", () => used.close());
    view.player.pause();
    this.#say("Tracking…");
    const calls = Math.ceil(view.points.length / POINTS_IN_A_CALL);
    const size = windowSize(Number(page.window.value));
    const frameMs = calls * (this.#frameMs ?? guessedMs(facts));
    const windowFrames = Math.min(size.frames, view.clip.frames);
    const pace = new Pace(performance.now(), size, windowFrames * frameMs);
    const end = showPace(pace);
    this.paced = true;
    try {
      const { file, name } = view.clip;
      const done = await used.track(file, name, view.queriesTyx, size.frames, (step, at, total) =>
        pace.report(performance.now(), step, at, total),
      );
      signal.throwIfAborted();
      view.tracks = done.tracks;
      view.clip.frames = done.tracks.frames;
      this.#frameMs = pace.windowMs / windowFrames / calls;
      page.resultText.textContent = resultText(done, facts);
      this.#say(`Tracked. ${done.warning}`);
      if (!stillness.matches) void view.player.playAgain();
    } finally {
      this.paced = false;
      end();
    }
  }

  /** @param {AbortSignal} signal */
  async #record(signal) {
    const view = this.#stage.clip;
    if (view === null || view.tracks === null) return;
    view.player.pause();
    this.#say("Recording the overlay, as long as the clip is…");
    view.saving = true;
    /** @param {CanvasRenderingContext2D} context @param {number} frame */
    const draw = (context, frame) => view.drawSaved(context, frame, wholeNumber(page.trail));
    const film = await recordOverlay(view.clip, draw, signal).finally(() => (view.saving = false));
    saveFile(film, `${this.#stem}.tracked.${film.type.endsWith("mp4") ? "mp4" : "webm"}`);
    this.#say("The overlay is saved.");
  }

  /**
   * Follow points through the camera's frames until it is stopped.
   * @param {ModelSource} model
   * @param {AbortSignal} signal
   */
  async #followCamera(model, signal) {
    const stage = this.#stage;
    stage.player?.pause();
    this.#say("Opening the camera and its model…");
    await watch(model, threads, signal, stage.colours, {
      begun: (view, name) => {
        stage.watch(view);
        this.#say(
          `${name} is on. Tap a point to follow it; a long press takes it away. (${model.name})`,
        );
      },
      ended: () => {
        page.resultText.textContent = "";
        stage.watch(null);
      },
      sized: (frameHw) => stage.fit(frameHw),
      shown: () => stage.redraw(),
      changed: this.#changed,
      timed: (text) => (page.resultText.textContent = text),
    });
  }

  get #stem() {
    return (this.#stage.clip?.clip.name ?? "clip").replace(/\.[^.]*$/, "");
  }
}

/** What a frame may take in the first run. @param {ModelFacts} facts */
function guessedMs({ resolutionHw: [height, width], threads: count }) {
  return (FRAME_MS * height * width) / 256 ** 2 / Math.min(count, 4);
}

/**
 * Move the bar until the end.
 * @param {Pace} pace
 * @returns {() => void} ends it
 */
function showPace(pace) {
  let running = true;
  const tick = () => {
    if (!running) return;
    const { part, leftMs } = pace.at(performance.now());
    page.progress.value = part;
    page.leftText.textContent = leftText(leftMs);
    setTimeout(tick, 100);
  };
  tick();
  return () => {
    running = false;
    page.leftText.textContent = "";
  };
}
