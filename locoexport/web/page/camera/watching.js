// A camera and its model from being switched on until being switched off.

import { LivePort } from "../../engine/live_port.js";
import { Cancelled } from "../../engine/tracker.js";
import { Camera } from "./camera.js";
import { LiveView } from "./live_view.js";
import { speedText } from "../wording.js";

/** @typedef {import("../../engine/model_source.js").ModelSource} ModelSource */
/** @typedef {import("../../engine/preprocessing.js").Size} Size */
/** @typedef {import("../colours.js").PointColours} PointColours */
/**
 * @typedef {object} Watcher
 * @property {(view: LiveView, name: string) => void} begun the camera of that name is on
 * @property {() => void} ended the view is there no more
 * @property {(frameHw: Size) => void} sized before the first frame of a size
 * @property {() => void} shown another frame is there to be drawn
 * @property {() => void} changed points came or went
 * @property {(text: string) => void} timed how fast it is, every second
 */

/**
 * Follow points through a camera's frames until the signal says stop or the camera ends.
 * @param {ModelSource} model
 * @param {number | null} threads null leaves it to the machine
 * @param {AbortSignal} signal
 * @param {PointColours} colours
 * @param {Watcher} watcher
 */
export async function watch(model, threads, signal, colours, watcher) {
  const port = new LivePort();
  /** @type {Camera | null} */
  let camera = null;
  /** @type {LiveView | null} */
  let view = null;
  const end = () => {
    port.close(new Cancelled("The camera is off."));
    camera?.close();
    if (view === null) return;
    view.close();
    view = null;
    watcher.ended();
  };
  signal.addEventListener("abort", end);
  const asked = Camera.open();
  try {
    // Whichever is refused first is said; a camera that comes before the model is known to `end`.
    const [facts, opened] = await Promise.all([port.open(model, threads), asked]);
    camera = opened;
    signal.throwIfAborted();
    const begun = new LiveView(port, camera, colours, {
      sized: watcher.sized,
      shown: watcher.shown,
      changed: watcher.changed,
      timed: (speed) => watcher.timed(speedText(speed, begun.points.length, facts)),
    });
    view = begun;
    watcher.begun(begun, camera.name);
    await begun.run(signal);
  } finally {
    signal.removeEventListener("abort", end);
    end();
    // It may be allowed after all was ended.
    void asked.then((late) => late.close(), () => {});
  }
}
