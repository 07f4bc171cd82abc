// Follows points through given frames with the page's modules: node follow_live.mjs FOLDER ORDER.
// ORDER is JSON: files by part (null for a stand-in that answers at once), frames as a file of RGB
// with its sizes, and runs: the window, and what is added and removed after which frame.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [, , folder, orderPath] = process.argv;
const order = JSON.parse(readFileSync(orderPath, "utf8"));
const load = (name) => import(pathToFileURL(`${folder}/${name}`).href);
const { LiveTracker } = await load("engine/live.js");

/** A model by which a point moves with what it remembers: of two channels, and x of its support. */
const standIn = {
  resolutionHw: [8, 8],
  memoryChannels: 2,
  window: null,
  encode: async (video) => ({ mean: video.reduce((sum, value) => sum + value, 0) / video.length }),
  sample: async ({ mean }, queries) => ({
    support: { data: Float32Array.from(queries, (value) => value + mean), cells: 3 },
  }),
  follow: async ({ mean }, { support }, queries, memory, past) => {
    const count = queries.length / 3;
    const next = new Float32Array(memory.length);
    const xy = new Float32Array(2 * count);
    for (let point = 0; point < count; point++) {
      const row = memory.subarray(2 * past * point, 2 * past * (point + 1));
      const held = row.reduce((sum, value, i) => sum + value * (i + 1), 0);
      xy[2 * point] = support.data[3 * point + 2] + queries[3 * point] + held / 7 + mean;
      xy[2 * point + 1] = support.data[3 * point + 1];
      next.set(row.subarray(2), 2 * past * point);
      next.set([1, xy[2 * point] / 8], 2 * past * (point + 1) - 2);
    }
    return { xy, occlusion: new Float32Array(count), expectedDist: new Float32Array(count), memory: next };
  },
};

function bytesOf(path) {
  const bytes = readFileSync(path);
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
}

/** RGB as a canvas has it. */
function frameOf(rgb, index, [height, width]) {
  const pixels = height * width;
  const rgba = new Uint8ClampedArray(4 * pixels).fill(255);
  for (let i = 0; i < pixels; i++) {
    const at = 3 * (pixels * index + i);
    rgba.set(rgb.subarray(at, at + 3), 4 * i);
  }
  return rgba;
}

async function openedModel() {
  if (order.files === null) return standIn;
  const { openLiveModel } = await load("engine/live_model.js");
  const files = Object.entries(order.files).map(([part, path]) => [part, bytesOf(path)]);
  return openLiveModel(Object.fromEntries(files), "live.onnx", 1);
}

const model = await openedModel();
const rgb = readFileSync(order.frames);

async function followed({ window = null, add = [], remove = [] }) {
  const tracker = new LiveTracker(model, window);
  const said = [];
  for (let index = 0; index < order.count; index++) {
    const tracks = await tracker.push(frameOf(rgb, index, order.frameHw), order.frameHw);
    const [xy, visible, confidence] = [[...tracks.xy], [...tracks.visible], [...tracks.confidence]];
    said.push({ ...tracks, xy, visible, confidence });
    for (const { after, ago = 0, points } of add) {
      if (after === index) await tracker.add(Float32Array.from(points.flat()), ago);
    }
    for (const { after, ids } of remove) if (after === index) tracker.remove(ids);
  }
  return { window: tracker.window, said };
}

const runs = [];
for (const run of order.runs) runs.push(await followed(run));
process.stdout.write(JSON.stringify({ resolutionHw: model.resolutionHw, runs }));
