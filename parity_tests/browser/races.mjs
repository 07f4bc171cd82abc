// Orders that overtake one another: files are opened slowly, and the user does not wait.

import {
  chooseModel,
  chooseRefused,
  click,
  points,
  ready,
  texts,
  until,
  untilText,
  untilTracked,
} from "./gestures.mjs";

/** So long, in milliseconds, the page gets to do what it must not do. */
const GRACE = 1_000;

/** The next order to a worker gets there late, at `release`: the next model is slow to open. */
async function holdNextModel(page) {
  await page.evaluate(() => {
    const post = Worker.prototype.postMessage;
    const gate = new Promise((resolve) => (globalThis.releaseModel = resolve));
    Worker.prototype.postMessage = function (...order) {
      Worker.prototype.postMessage = post;
      void gate.then(() => post.apply(this, order));
    };
  });
  return () => page.evaluate(() => globalThis.releaseModel());
}

/** From now on no clip opens in the page, until `release`: the browser is slow to name codecs. */
async function holdClips(page) {
  await page.evaluate(() => {
    const known = VideoDecoder.isConfigSupported.bind(VideoDecoder);
    const gate = new Promise((resolve) => (globalThis.releaseClips = resolve));
    VideoDecoder.isConfigSupported = async (config) => {
      await gate;
      return known(config);
    };
  });
  return () => page.evaluate(() => globalThis.releaseClips());
}

/** Choose a model that does not open before `release`. */
async function beginModel(page, file) {
  const release = await holdNextModel(page);
  await page.setInputFiles("#model-file", file);
  await untilText(page, "model-text", "^Loading");
  return release;
}

/** A refused model, then a good one, and Track before it is open: the run ends all the same. */
export async function trackWhileAModelOpens(page, order) {
  await ready(page);
  await click(page, [0.5, 0.5]);
  const refused = await chooseRefused(page, "#model-file", order.bad);
  const release = await beginModel(page, order.model);
  await page.click("#track");
  const waiting = await texts(page);
  await release();
  await untilTracked(page);
  return { refused, waiting, after: await texts(page) };
}

/** Track waits for a model that is refused then; the one before it is still there. */
export async function trackWhileABadModelOpens(page, order) {
  await ready(page);
  await click(page, [0.5, 0.5]);
  const release = await beginModel(page, order.bad);
  await page.click("#track");
  await release();
  await untilText(page, "error", "is not a model");
  await untilText(page, "status", "did not begin");
  const refused = await texts(page);
  await page.click("#track");
  await untilTracked(page);
  return { refused, after: await texts(page) };
}

/** Two models quickly after each other; the first is ready last, and must not take over. */
export async function twoModels(page, order) {
  await ready(page);
  const release = await beginModel(page, order.first);
  await chooseModel(page, order.second);
  await release();
  await page.waitForTimeout(GRACE);
  const said = await texts(page);
  await click(page, [0.5, 0.5]);
  await page.click("#track");
  await untilTracked(page);
  return { said, workers: page.workers().length, after: await texts(page) };
}

/** Cancel a run that waits for a model, then the opening itself; the page works after both. */
export async function cancelWhileAModelOpens(page, order) {
  await ready(page);
  await click(page, [0.5, 0.5]);
  const release = await beginModel(page, order.model);
  await page.click("#track");
  await page.click("#cancel");
  await untilText(page, "status", "^Cancelled");
  const run = await texts(page);
  await release();
  await untilText(page, "model-text", "opened in");
  await beginModel(page, order.other);
  await page.click("#cancel");
  await untilText(page, "model-text", "opened in");
  const opening = await texts(page);
  await page.click("#track");
  await untilTracked(page);
  return { run, opening, after: await texts(page) };
}

/** A clip is slow to open: neither points nor a run of the last clip get into it. */
export async function trackWhileAClipOpens(page, order) {
  await ready(page);
  await click(page, [0.5, 0.5]);
  const release = await holdClips(page);
  await page.setInputFiles("#clip-file", order.clip);
  await untilText(page, "status", "^Opening");
  await click(page, [0.25, 0.25]);
  await untilText(page, "status", "is being opened");
  const added = await points(page);
  await page.keyboard.press("t");
  await untilText(page, "status", "^Tracking begins when");
  await release();
  await untilText(page, "status", "needs a clip, a model and a point");
  const opened = { points: await points(page), ...(await texts(page)) };
  await click(page, [0.5, 0.5]);
  await page.click("#track");
  await untilTracked(page);
  return { added, opened, after: await texts(page) };
}

/** Files that are dropped on the page while it tracks are refused, and the run goes on. */
export async function openWhileTracking(page, order) {
  await ready(page);
  await click(page, [0.5, 0.5]);
  await page.click("#track");
  await until(page, "the first frame", () => document.getElementById("progress").value > 0);
  const refused = {};
  for (const name of ["other.onnx", "other.mp4"]) {
    await page.evaluate((name) => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File(["nothing"], name));
      document.dispatchEvent(new DragEvent("drop", { dataTransfer, cancelable: true }));
    }, name);
    refused[name] = (await texts(page)).error;
  }
  await untilTracked(page);
  return { refused, after: await texts(page) };
}
