// Clips, frame by frame. Containers are read by mediabunny, frames decoded by the browser's own
// WebCodecs, in the order of presentation: every frame once, none skipped or made up, which a
// <video> element does not promise. Frame 0 is the first that is shown, as in the Python runtime.

import {
  ALL_FORMATS,
  BlobSource,
  EncodedPacketSink,
  Input,
  VideoSampleSink,
} from "../packages/mediabunny/mediabunny.min.mjs";
import { DemoError } from "./errors.js";

/** @typedef {import("../packages/mediabunny/mediabunny.min.mjs").VideoSample} VideoSample */
/** @typedef {import("../packages/mediabunny/mediabunny.min.mjs").InputVideoTrack} InputVideoTrack */
/** @typedef {import("./preprocessing.js").Size} Size */

const HALF_MICROSECOND = 5e-7;
const SAME_TIME = 1e-3;

/** Check that this browser can decode clips at all. */
export function requireDecoder() {
  if (typeof VideoDecoder !== "undefined") return;
  if (!globalThis.isSecureContext) {
    throw new DemoError(
      "Browsers decode clips only on https pages and on localhost. Open this page by " +
        "http://localhost or over https.",
    );
  }
  throw new DemoError(
    "This browser has no WebCodecs, which decode a clip frame by frame. Use a current version " +
      "of Chrome, Edge, Firefox or Safari.",
  );
}

/** A clip that frames are read from as often as one likes. */
export class Clip {
  #sink;
  #times;

  /**
   * @param {Blob} file
   * @param {string} name
   * @param {Size} frameHw in pixels, upright
   * @param {number[]} times in seconds, by frame
   * @param {number} fps on average
   * @param {InputVideoTrack} track
   */
  constructor(file, name, frameHw, times, fps, track) {
    this.file = file;
    this.name = name;
    this.frameHw = frameHw;
    this.fps = fps;
    /** How many frames there are; fewer once damage is found. */
    this.frames = times.length;
    /** What is wrong with the clip though it can be read; empty where nothing is. */
    this.warning = "";
    this.#times = times;
    /** When each frame is shown, in seconds after the first. */
    this.timesS = Float64Array.from(times, (time) => Number((time - times[0]).toFixed(9)));
    this.#sink = new VideoSampleSink(track);
  }

  /**
   * Open a file, and decode its first frame.
   * @param {Blob} file
   * @param {string} name
   * @returns {Promise<Clip>}
   */
  static async open(file, name) {
    requireDecoder();
    const track = await videoTrack(file, name);
    const { times, fps } = await presentation(track, name);
    for await (const sample of new VideoSampleSink(track).samples()) {
      const size = uprightSize(sample);
      sample.close();
      return new Clip(file, name, size, times, fps, track);
    }
    throw new DemoError(`${name} holds no frame that can be decoded. Check that it plays.`);
  }

  /**
   * Frames from `start` up to `end` as RGBA, (height, width, 4) each; not to be kept while the
   * next is read.
   * @param {number} start
   * @param {number} end
   * @returns {AsyncGenerator<Uint8ClampedArray>}
   */
  async *rgba(start, end) {
    const [height, width] = this.frameHw;
    const context = paper(width, height);
    for await (const sample of this.#samples(start, end)) {
      sample.draw(context, 0, 0, width, height);
      sample.close();
      yield context.getImageData(0, 0, width, height, { colorSpace: "srgb" }).data;
    }
  }

  /**
   * Frames from `start` up to `end` as pictures for the screen.
   * @param {number} start
   * @param {number} end
   * @param {number} longestSide pictures are made smaller than the clip where it is larger
   * @returns {AsyncGenerator<ImageBitmap>}
   */
  async *pictures(start, end, longestSide) {
    const [height, width] = this.frameHw;
    const scale = Math.min(1, longestSide / Math.max(height, width));
    const [across, down] = [Math.round(width * scale), Math.round(height * scale)];
    for await (const sample of this.#samples(start, end)) {
      const canvas = new OffscreenCanvas(across, down);
      const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
      sample.draw(context, 0, 0, across, down);
      sample.close();
      yield canvas.transferToImageBitmap();
    }
  }

  /**
   * Decoded frames in order. Of a damaged clip those before the damage are given: frames behind a
   * gap would have the wrong index.
   * @param {number} start
   * @param {number} end
   * @returns {AsyncGenerator<VideoSample>}
   */
  async *#samples(start, end) {
    let index = start;
    end = Math.min(end, this.frames);
    if (index >= end) return;
    try {
      for await (const sample of this.#sink.samples(this.#times[start] + HALF_MICROSECOND)) {
        if (Math.abs(sample.timestamp - this.#times[index]) > SAME_TIME) {
          sample.close();
          break;
        }
        index++;
        yield sample;
        if (index >= end) return;
      }
    } catch (error) {
      if (index === start) throw undecodable(this.name, index, error);
    }
    this.frames = index;
    this.warning = `${this.name} is damaged after frame ${index}; the frames before it are used.`;
  }
}

/**
 * @param {Blob} file
 * @param {string} name
 */
async function videoTrack(file, name) {
  const input = new Input({ source: new BlobSource(file), formats: ALL_FORMATS });
  if (file.size === 0) throw new DemoError(`${name} is empty.`);
  /** @type {InputVideoTrack | null} */
  let track = null;
  try {
    track = await input.getPrimaryVideoTrack();
  } catch (error) {
    throw new DemoError(
      `${name} is not a video that can be read here (${reason(error)}). MP4, MOV, WebM and MKV ` +
        "files are; `ffmpeg -i IN OUT.mp4` converts most others.",
    );
  }
  if (track === null) throw new DemoError(`${name} holds no picture, only sound or nothing.`);
  if (!(await track.canDecode())) {
    const codec = (await track.getCodec()) ?? "an unknown codec";
    throw new DemoError(
      `This browser cannot decode ${name}: its pictures are in ${codec}. ` +
        "`ffmpeg -i IN -c:v libx264 OUT.mp4` makes a file that nearly every browser plays.",
    );
  }
  return track;
}

/**
 * When each frame is shown, in order, and how many there are a second.
 * @param {InputVideoTrack} track
 * @param {string} name
 */
async function presentation(track, name) {
  const times = [];
  let end = 0;
  const packets = new EncodedPacketSink(track).packets(undefined, undefined, {
    metadataOnly: true,
  });
  for await (const packet of packets) {
    // What an edit list cuts off the front has negative times.
    if (packet.timestamp + packet.duration <= 0 && packet.timestamp < 0) continue;
    times.push(packet.timestamp);
    end = Math.max(end, packet.timestamp + packet.duration);
  }
  if (times.length === 0) throw new DemoError(`${name} holds no frame.`);
  times.sort((a, b) => a - b);
  const seconds = end - times[0];
  return { times, fps: seconds > 0 ? round(times.length / seconds) : 25 };
}

/** @param {VideoSample} sample @returns {Size} */
function uprightSize(sample) {
  const { width, height } = sample.visibleRect;
  return sample.rotation % 180 === 0 ? [height, width] : [width, height];
}

/**
 * @param {number} width
 * @param {number} height
 */
function paper(width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true, colorSpace: "srgb" });
  return /** @type {OffscreenCanvasRenderingContext2D} */ (context);
}

/**
 * @param {string} name
 * @param {number} index
 * @param {unknown} error
 */
function undecodable(name, index, error) {
  return new DemoError(`Frame ${index} of ${name} cannot be decoded (${reason(error)}).`);
}

/** @param {unknown} error */
function reason(error) {
  return (error instanceof Error ? error.message : String(error)).replace(/\.$/, "");
}

/** Container times are whole ticks: 29.97002997 is meant, not 29.970029970029973. */
function round(/** @type {number} */ fps) {
  return Number(fps.toFixed(6));
}
