// Follows points through given frames with the page's modules, in onnxruntime-web:
// node follow_live.mjs FOLDER ORDER. ORDER is JSON: files by part, the window, frames as a file of
// RGB with its sizes, and what is added and removed after which frame.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [, , folder, orderPath] = process.argv;
const order = JSON.parse(readFileSync(orderPath, "utf8"));
const load = (name) => import(pathToFileURL(`${folder}/${name}`).href);
const { openLiveModel } = await load("engine/live_model.js");
const { LiveTracker } = await load("engine/live.js");

function bytesOf(path) {
  const bytes = readFileSync(path);
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
}

function frameOf(rgb, index, [height, width]) {
  const pixels = height * width;
  const start = 3 * pixels * index;
  return Uint8ClampedArray.from({ length: 4 * pixels }, (_, i) =>
    i % 4 === 3 ? 255 : rgb[start + 3 * Math.floor(i / 4) + (i % 4)],
  );
}

const files = Object.fromEntries(Object.entries(order.files).map(([part, path]) => [part, bytesOf(path)]));
const model = await openLiveModel(files, "live.onnx", 1);
const tracker = new LiveTracker(model, order.window);
const rgb = readFileSync(order.frames);
const said = [];
for (let index = 0; index < order.count; index++) {
  const tracks = await tracker.push(frameOf(rgb, index, order.frameHw), order.frameHw);
  said.push({ ...tracks, xy: [...tracks.xy], visible: [...tracks.visible], confidence: [...tracks.confidence] });
  for (const { after, ago, points } of order.add) {
    if (after === index) await tracker.add(Float32Array.from(points.flat()), ago);
  }
  for (const { after, ids } of order.remove) if (after === index) tracker.remove(ids);
}
process.stdout.write(JSON.stringify({ window: tracker.window, resolutionHw: model.resolutionHw, said }));
