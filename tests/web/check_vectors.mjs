// Holds the page's modules to golden_vectors.json: node check_vectors.mjs TABLE FOLDER.
// Prints how many values of each kind were compared; the first difference is exit 1.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [, , tablePath, folder] = process.argv;
const table = JSON.parse(readFileSync(tablePath, "utf8"));
const load = (name) => import(pathToFileURL(`${folder}/${name}`).href);
const { scaleQueriesToModel, scaleTracksToVideo, toModelInput } = await load("engine/preprocessing.js");
const { confidenceOf, isVisible } = await load("engine/visibility.js");
const { gridQueries } = await load("engine/queries.js");
const { penFor, queryColour } = await load("page/overlay.js");
const { tracksToCsv, tracksToJson } = await load("engine/tracks.js");
const { readWindows, windowSize } = await load("engine/windows.js");
const { Stitcher } = await load("engine/stitching.js");

// The JavaScript rounds once where OpenCV rounds at each step: one unit in the last place at 1.
const RESIZE_TOLERANCE = 2.5e-7;
let compared = 0;

function same(found, expected, place) {
  compared += expected.length;
  assert.equal(found.length, expected.length, place);
  expected.forEach((value, i) => {
    const wanted = value === null ? NaN : Math.fround(value);
    assert.ok(Object.is(found[i], wanted) || found[i] === wanted, `${place}[${i}]: ${found[i]}, not ${wanted}`);
  });
}

function rgba(rgb) {
  const pixels = rgb.length / 3;
  return Uint8ClampedArray.from({ length: 4 * pixels }, (_, i) =>
    i % 4 === 3 ? 255 : rgb[3 * Math.floor(i / 4) + (i % 4)],
  );
}

async function* greyFrames(frames) {
  for (let index = 0; index < frames; index++) yield rgba([index, index, index]);
}

const greyOf = (video) =>
  Array.from({ length: video.length / 3 }, (_, i) => Math.round((video[3 * i] + 1) * 127.5));

const checks = {
  resize(cases) {
    for (const [n, { frame_hw, model_hw, rgb, video }] of cases.entries()) {
      const out = new Float32Array(video.length);
      toModelInput(rgba(rgb), frame_hw, model_hw, out);
      compared += video.length;
      video.forEach((value, i) => {
        const off = Math.abs(out[i] - value);
        assert.ok(off <= RESIZE_TOLERANCE, `resize ${n}[${i}]: off by ${off}`);
      });
    }
  },
  visibility(cases) {
    for (const { logits, visible, confidence } of cases) {
      const found = confidenceOf(...logits.map(Math.fround));
      const place = `visibility of ${logits}`;
      // exp differs in its last place between C libraries: one unit of float32.
      assert.ok(Math.abs(found - confidence) <= 6e-8 * confidence, `${place}: ${found}`);
      assert.equal(isVisible(found), visible, place);
      compared++;
    }
  },
  scaling({ frame_hw, model_hw, ...arrays }) {
    const queries = Float32Array.from(arrays.queries);
    same(scaleQueriesToModel(queries, frame_hw, model_hw), arrays.queries_of_model, "queries");
    const tracks = Float32Array.from(arrays.tracks);
    same(scaleTracksToVideo(tracks, model_hw, frame_hw), arrays.tracks_of_video, "tracks");
  },
  grid(rows) {
    const found = gridQueries(3, 4, { top: 0, left: 0, height: 144, width: 176 }, 0);
    same(found.flatMap(({ t, y, x }) => [t, y, x]), rows.flat(), "grid");
  },
  colours(cases) {
    for (const { point, rgb } of cases) same(queryColour(...point, [144, 176]), rgb, `${point}`);
  },
  pens(cases) {
    [[96, 120], [144, 176], [1080, 1920]].forEach((hw, i) => {
      const pen = penFor(hw);
      const found = [pen.dot, pen.ringOuter, pen.ringInner, pen.outline, pen.trail];
      const { dot, ring_outer, ring_inner, outline, trail } = cases[i];
      [dot, ring_outer, ring_inner, outline, trail].forEach((value, k) => {
        assert.ok(Math.abs(found[k] - value) < 1e-9, `pen ${hw}`);
        compared++;
      });
    });
  },
  files({ xy, confidence, queries, shape, fps, csv, json }) {
    const sure = Float32Array.from(confidence);
    const tracks = {
      points: shape[0],
      frames: shape[1],
      xy: Float32Array.from(xy),
      visible: Uint8Array.from(sure, (value) => Number(isVisible(value))),
      confidence: sure,
      queryPoints: Float32Array.from(queries),
      fps,
    };
    assert.equal(tracksToCsv(tracks), csv);
    assert.deepEqual(JSON.parse(tracksToJson(tracks)), json);
    compared += 2;
  },
  async windows(cases) {
    for (const { frames, size, windows } of cases) {
      const found = [];
      for await (const window of readWindows(greyFrames(frames), [1, 1], [1, 1], windowSize(size))) {
        const { start, commitFrom, end, video } = window;
        found.push({ start, commit_from: commitFrom, end, grey: greyOf(video) });
      }
      assert.deepEqual(found, windows);
      compared += windows.length;
    }
  },
  async stitching(cases) {
    for (const { frames, size, queries, steps } of cases) {
      const stitcher = new Stitcher(Float32Array.from(queries), windowSize(size));
      const rest = [...steps];
      for await (const window of readWindows(greyFrames(frames), [1, 1], [1, 1], windowSize(size))) {
        const step = rest.shift();
        assert.equal(stitcher.begin(window), step.active);
        const asked = [...step.requests];
        for (const request of stitcher.requests(window, 4)) {
          const due = asked.shift();
          assert.ok(due, "a request too many");
          assert.deepEqual(request.points, due.points);
          same(request.queriesTyx, due.queries, "queries of a request");
          assert.deepEqual(greyOf(request.video), due.grey);
          stitcher.answer(request, Float32Array.from(due.xy), Float32Array.from(due.confidence));
        }
        assert.equal(asked.length, 0, "a request is missing");
        const { xy, confidence, isNew } = stitcher.finish(window);
        same(xy, step.xy, "xy");
        same(confidence, step.confidence, "confidence");
        assert.deepEqual([...isNew], step.new);
      }
      assert.equal(rest.length, 0, "a window is missing");
    }
  },
};

const counts = {};
for (const [name, values] of Object.entries(table)) {
  compared = 0;
  await checks[name](values);
  counts[name] = compared;
}
process.stdout.write(JSON.stringify(counts) + "\n");
