// The overlay as a video file, recorded by the browser's own MediaRecorder. It records in real
// time, so a clip of ten seconds takes ten seconds.

import { DemoError } from "../engine/errors.js";
import { until } from "./player.js";

const KINDS = [
  "video/mp4;codecs=avc1.640028",
  "video/webm;codecs=vp9",
  "video/webm;codecs=vp8",
  "video/webm",
];

/** @typedef {import("../engine/clip.js").Clip} Clip */

/**
 * @param {Clip} clip
 * @param {(context: CanvasRenderingContext2D, frame: number) => Promise<void>} draw draws a frame
 * @param {AbortSignal} signal
 * @returns {Promise<Blob>} its type says whether it is mp4 or webm
 */
export async function recordOverlay({ frameHw, frames, fps }, draw, signal) {
  const kind = KINDS.find((each) => globalThis.MediaRecorder?.isTypeSupported(each));
  if (kind === undefined) {
    throw new DemoError("This browser cannot record video (it has no MediaRecorder).");
  }
  const canvas = document.createElement("canvas");
  // Encoders want even sides.
  [canvas.height, canvas.width] = frameHw.map((side) => side + (side % 2));
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const stream = canvas.captureStream(0);
  const [track] = stream.getVideoTracks();
  const recorder = new MediaRecorder(stream, { mimeType: kind, videoBitsPerSecond: 8_000_000 });
  /** @type {Blob[]} */
  const parts = [];
  recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
  const stopped = new Promise((resolve, reject) => {
    recorder.addEventListener("stop", resolve);
    recorder.addEventListener("error", () =>
      reject(new DemoError("The browser's MediaRecorder failed while it recorded.")),
    );
  });
  recorder.start();
  let due = performance.now();
  for (let frame = 0; frame < frames && !signal.aborted; frame++) {
    await draw(context, frame);
    /** @type {CanvasCaptureMediaStreamTrack} */ (track).requestFrame();
    due += 1000 / fps;
    await until(due);
  }
  recorder.stop();
  await stopped;
  track.stop();
  signal.throwIfAborted();
  return new Blob(parts, { type: kind.split(";")[0] });
}
