// Tracks points through raw frames with onnxruntime-node, and prints the tracks as CSV.
//
//   npm install
//   node track.js MODEL.onnx FRAMES.rgb [t,y,x ...]
//
// FRAMES.rgb holds RGB frames of 8 bits at the model's resolution, one after another:
//
//   ffmpeg -i clip.mp4 -vf scale=256:256 -f rawvideo -pix_fmt rgb24 clip.rgb
//
// A query is a frame index and a position in pixels of that resolution (pixel centres at .5);
// without one a grid of 8 x 8 points on frame 0 is tracked. All frames go through the model at
// once: some 20 to 40 MB of memory a frame. Longer videos need windows, as the Python runtime has.

import { readFileSync } from "node:fs";

// ONNX Runtime 1.31 sends telemetry unless it is told not to before it is loaded.
process.env.ORT_DISABLE_TELEMETRY ??= "1";
const { InferenceSession, Tensor } = await import("onnxruntime-node");

const GRID = 8;

/** Height and width of video_input, which are fixed: (batch, frames, height, width, 3). */
function resolutionOf(session) {
  const video = session.inputMetadata.find((input) => input.name === "video_input");
  if (!video) throw new Error("the model has no input video_input: it is no exported tracker");
  return video.shape.slice(2, 4);
}

/** A raw file as float32 (1, frames, height, width, 3) in [-1, 1]. */
function readClip(path, height, width) {
  const bytes = readFileSync(path);
  const frameBytes = height * width * 3;
  if (bytes.length === 0 || bytes.length % frameBytes !== 0) {
    throw new Error(`${path} does not hold whole RGB frames of ${height}x${width}`);
  }
  const values = new Float32Array(bytes.length);
  const fround = Math.fround;
  for (let i = 0; i < bytes.length; i++) values[i] = fround(fround(bytes[i] / 255) * 2) - 1;
  return new Tensor("float32", values, [1, bytes.length / frameBytes, height, width, 3]);
}

/** Texts like "0,120.5,64" as float32 (1, points, 3): t, y, x. */
function readQueries(texts) {
  const points = texts.map((text) => {
    const numbers = text.split(",").map(Number);
    if (numbers.length !== 3 || !numbers.every(Number.isFinite)) {
      throw new Error(`a query is t,y,x, not ${text}`);
    }
    return numbers;
  });
  return new Tensor("float32", Float32Array.from(points.flat()), [1, points.length, 3]);
}

/** The centres of GRID x GRID cells of frame 0. */
function gridQueries(height, width) {
  const texts = [];
  for (let row = 0; row < GRID; row++) {
    for (let column = 0; column < GRID; column++) {
      texts.push(`0,${((row + 0.5) / GRID) * height},${((column + 0.5) / GRID) * width}`);
    }
  }
  return readQueries(texts);
}

const sigmoid = (logit) => 1 / (1 + Math.exp(-logit));

/** Likelier than not neither occluded nor more than a few pixels off. */
function isVisible(occlusion, expectedDist) {
  return (1 - sigmoid(occlusion)) * (1 - sigmoid(expectedDist)) >= 0.5;
}

/** One line a point and frame. */
function* csvRows(outputs) {
  const [, points, frames] = outputs.tracks.dims; // (1, points, frames, 2) as (x, y)
  const tracks = outputs.tracks.data;
  yield "point,frame,x,y,visible";
  for (let point = 0; point < points; point++) {
    for (let frame = 0; frame < frames; frame++) {
      const at = point * frames + frame;
      const visible = isVisible(outputs.occlusion.data[at], outputs.expected_dist.data[at]);
      const [x, y] = [tracks[2 * at], tracks[2 * at + 1]];
      yield `${point},${frame},${x.toFixed(4)},${y.toFixed(4)},${visible ? 1 : 0}`;
    }
  }
}

async function main([modelPath, framesPath, ...queryTexts]) {
  if (!framesPath) throw new Error("usage: node track.js MODEL.onnx FRAMES.rgb [t,y,x ...]");
  const session = await InferenceSession.create(modelPath, {
    executionProviders: ["cpu"],
    enableMemPattern: false, // half the memory, no slower (docs/long-videos.md)
    logSeverityLevel: 3,
  });
  const [height, width] = resolutionOf(session);
  const video = readClip(framesPath, height, width);
  const queries = queryTexts.length ? readQueries(queryTexts) : gridQueries(height, width);
  const outputs = await session.run({ video_input: video, query_input: queries });
  process.stdout.write([...csvRows(outputs)].join("\n") + "\n");
}

main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`error: ${error.message}\n`);
  process.exitCode = 2;
});
