// A camera's newest frame, when it is asked for. Frames that nobody asked for are dropped.

import { DemoError } from "../../engine/errors.js";

const WANTED = {
  audio: false,
  video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "environment" },
};
/** @type {Record<string, string>} by the name of what getUserMedia throws */
const REFUSALS = {
  NotAllowedError: "The camera was refused: allow it for this page in the browser, then try again.",
  NotFoundError: "This machine has no camera that the browser can see.",
  NotReadableError: "The camera cannot be read; another program may hold it.",
};

export class Camera {
  #stream;
  #video;
  #presented = 0;
  #taken = 0;
  #pushed = 0;
  #ended = false;
  /** @type {(() => void) | null} told of the next frame, or of the end */
  #waiting = null;

  /**
   * Ask for a camera.
   * @returns {Promise<Camera>}
   */
  static async open() {
    if (navigator.mediaDevices === undefined) {
      throw new DemoError("Browsers give a page a camera over https or on localhost only.");
    }
    if (!("requestVideoFrameCallback" in HTMLVideoElement.prototype)) {
      throw new DemoError("This browser does not tell its frames; Firefox does from 132 on.");
    }
    try {
      const stream = await navigator.mediaDevices.getUserMedia(WANTED);
      const video = document.createElement("video");
      video.muted = video.playsInline = true;
      video.srcObject = stream;
      await video.play();
      return new Camera(stream, video);
    } catch (error) {
      const known = error instanceof DOMException ? REFUSALS[error.name] : undefined;
      throw known === undefined ? error : new DemoError(known);
    }
  }

  /** @param {MediaStream} stream @param {HTMLVideoElement} video */
  constructor(stream, video) {
    this.#stream = stream;
    this.#video = video;
    stream.getVideoTracks()[0].addEventListener("ended", () => this.close());
    this.#listen();
  }

  /** The camera's own name. */
  get name() {
    return this.#stream.getVideoTracks()[0].label || "camera";
  }

  /** Frames that it showed and nobody asked for. */
  get dropped() {
    return Math.max(0, this.#taken - this.#pushed);
  }

  /**
   * The frame that is newest now, or the next one where that was taken before.
   * @returns {Promise<ImageBitmap | null>} null where the camera has ended
   */
  async next() {
    while (this.#presented === this.#taken && !this.#ended) {
      await /** @type {Promise<void>} */ (new Promise((resolve) => (this.#waiting = resolve)));
    }
    if (this.#ended) return null;
    this.#taken = this.#presented;
    this.#pushed++;
    return createImageBitmap(this.#video);
  }

  close() {
    this.#ended = true;
    for (const track of this.#stream.getTracks()) track.stop();
    this.#video.srcObject = null;
    this.#waiting?.();
  }

  #listen() {
    let first = 0;
    const seen = (/** @type {number} */ _now, /** @type {{ presentedFrames: number }} */ facts) => {
      if (this.#ended) return;
      first ||= facts.presentedFrames - 1;
      this.#presented = facts.presentedFrames - first;
      this.#waiting?.();
      this.#waiting = null;
      this.#video.requestVideoFrameCallback(seen);
    };
    this.#video.requestVideoFrameCallback(seen);
  }
}
