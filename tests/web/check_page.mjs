// Holds modules of the page that need no browser to what they promise: node check_page.mjs FOLDER.

import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";

const load = (name) => import(pathToFileURL(`${process.argv[2]}/${name}`).href);
const { Pace, leftText } = await load("page/pace.js");
const { PointColours } = await load("page/colours.js");
const { QuerySet } = await load("engine/queries.js");
const { keepPoints } = await load("engine/tracks.js");

/** 80 frames in windows of 48 that share 16: two windows, of which each takes 4 s. */
function pace() {
  const run = new Pace(1000, { frames: 48, overlap: 16 }, 2000);
  assert.deepEqual(run.at(1000), { part: 0, leftMs: null });
  run.report(1000, "decode", 48, 80);
  // 2 s are expected of a window, until one is known to take 4.
  assert.deepEqual(run.at(2000), { part: 0.25, leftMs: 3000 });
  const late = run.at(4500);
  assert.equal(late.leftMs, null);
  assert.ok(late.part > 0.4 && late.part < 0.5, `${late.part}`);
  run.report(5000, "refine", 48, 80);
  assert.deepEqual(run.at(5000), { part: 0.5, leftMs: 4000 });
  run.report(5000, "decode", 80, 80);
  assert.deepEqual(run.at(7000), { part: 0.75, leftMs: 2000 });
  run.report(9000, "refine", 80, 80);
  assert.deepEqual(run.at(9000), { part: 1, leftMs: 0 });
  assert.equal(run.windowMs, 4000);
  // Points before their frame: the clip is read backwards as well, and the bar does not go back.
  run.report(9100, "decode", 81, 160);
  assert.equal(run.at(9100).part, 1);
}

function texts() {
  const said = [null, 0, 900, 1001, 59_000, 61_000].map(leftText);
  const seconds = ["about 1 s left", "about 1 s left", "about 2 s left", "about 59 s left"];
  assert.deepEqual(said, ["", ...seconds, "about 2 min left"]);
}

function colours() {
  const known = new PointColours();
  const alone = Array.from({ length: 40 }, (_, t) => ({ t, y: 1, x: 1 }));
  for (const point of alone) known.give([point]);
  const distance = (a, b) => Math.hypot(...known.of(a).map((value, i) => value - known.of(b)[i]));
  for (let i = 1; i < alone.length; i++) assert.ok(distance(alone[i], alone[i - 1]) > 60, `${i}`);
  const together = alone.map((point) => ({ ...point }));
  known.give(together);
  assert.equal(new Set(together.map((point) => known.of(point).join())).size, 40);
  for (const point of [...alone, ...together]) {
    assert.ok(known.of(point).every((value) => Number.isInteger(value) && value >= 0 && value < 256));
  }
}

function deletion() {
  const queries = new QuerySet();
  const [a, b, c] = [1, 2, 3].map((x) => ({ t: 0, y: 0, x }));
  queries.add([a, b]);
  queries.add([c]);
  queries.remove(a);
  assert.deepEqual(queries.points, [b, c]);
  queries.remove(c);
  assert.deepEqual(queries.undo(), [b]);
  const tracks = {
    points: 3,
    frames: 2,
    xy: Float32Array.from({ length: 12 }, (_, i) => i),
    visible: Uint8Array.of(1, 0, 1, 1, 0, 1),
    confidence: Float32Array.of(0.5, 0.25, 0.5, 1, 0, 0.75),
    queryPoints: Float32Array.from({ length: 9 }, (_, i) => 10 + i),
    fps: 25,
  };
  const left = keepPoints(tracks, [0, 2]);
  assert.equal(left.points, 2);
  assert.deepEqual([...left.xy], [0, 1, 2, 3, 8, 9, 10, 11]);
  assert.deepEqual([...left.visible], [1, 0, 0, 1]);
  assert.deepEqual([...left.confidence], [0.5, 0.25, 0, 0.75]);
  assert.deepEqual([...left.queryPoints], [10, 11, 12, 16, 17, 18]);
  assert.equal(left.fps, 25);
  assert.equal(keepPoints(tracks, []), null);
}

for (const check of [pace, texts, colours, deletion]) check();
process.stdout.write("held\n");
