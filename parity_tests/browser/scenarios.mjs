// What a user does with the page. Each scenario takes the open page and its order.

import { readFileSync } from "node:fs";

import {
  chooseClip,
  chooseModel,
  chooseRefused,
  click,
  goTo,
  points,
  ready,
  save,
  texts,
  until,
  untilText,
  untilTracked,
} from "./gestures.mjs";

/** A clip's frames as the page decodes them: base64 of (frames, height, width, 4). */
async function decodedFrames(page) {
  return page.evaluate(async () => {
    const { Clip } = await import("./engine/clip.js");
    const file = document.lastClip;
    const clip = await Clip.open(file, file.name);
    const parts = [];
    for await (const frame of clip.rgba(0, Infinity)) parts.push(frame.slice());
    const url = await new Promise((resolve) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result);
      reader.readAsDataURL(new Blob(parts));
    });
    return { frameHw: clip.frameHw, frames: parts.length, rgba: url.split(",")[1] };
  });
}

/** Load, choose a clip, click points on two frames, track, save. */
export async function track(page, order) {
  await ready(page);
  await page.evaluate(() => {
    document.getElementById("clip-file").addEventListener(
      "change",
      (event) => (document.lastClip = event.target.files[0]),
      { capture: true },
    );
  });
  await chooseClip(page, order.clip);
  await page.selectOption("#window", String(order.window));
  for (const { frame, at } of order.clicks) {
    await goTo(page, frame);
    await click(page, at);
  }
  await page.click("#track");
  await until(
    page,
    "tracks or an error",
    () =>
      document.getElementById("result-text").textContent ||
      document.getElementById("error").textContent,
  );
  const said = await texts(page);
  if (said.error) return { said };
  await save(page, "#save-json", `${order.out}/tracks.json`);
  await save(page, "#save-csv", `${order.out}/tracks.csv`);
  await goTo(page, order.shown);
  await page.screenshot({ path: `${order.out}/tracked.png` });
  return {
    said,
    isolated: await page.evaluate(() => globalThis.crossOriginIsolated),
    frames: await decodedFrames(page),
  };
}

/** Begin a long run, cancel it, and use the page again. */
export async function cancel(page, order) {
  await ready(page);
  await chooseClip(page, order.clip);
  await click(page, [0.5, 0.5]);
  await page.click("#track");
  await until(page, "the first frame", () => document.getElementById("decode").value > 0);
  await goTo(page, 3); // the page is alive meanwhile
  const pressed = Date.now();
  await page.click("#cancel");
  await untilText(page, "status", "^Cancelled");
  const milliseconds = Date.now() - pressed;
  const after = await texts(page);
  await chooseClip(page, order.short);
  await click(page, [0.5, 0.5]);
  await page.click("#track");
  await untilTracked(page);
  return { milliseconds, after, again: await texts(page) };
}

/** Files that cannot be used, one after the other; then ones that can. */
export async function failures(page, order) {
  await ready(page);
  const said = [];
  for (const { selector, file } of order.files) {
    said.push(await chooseRefused(page, selector, file));
  }
  await page.screenshot({ path: `${order.out}/failure.png` });
  await chooseModel(page, order.model);
  await chooseClip(page, order.clip);
  await click(page, [0.5, 0.5]);
  await page.click("#track");
  await untilTracked(page);
  return { said, after: await texts(page) };
}

/** Everything by keyboard: points, a box, undo, tracking, stepping, playing, saving. */
export async function keyboard(page, order) {
  await ready(page);
  const reached = new Set();
  for (let i = 0; i < 40; i++) {
    await page.keyboard.press("Tab");
    reached.add(await page.evaluate(() => document.activeElement?.id ?? ""));
  }
  await page.fill("#side", "2");
  await page.focus("#picture");
  for (const key of ["ArrowRight", "ArrowRight", "ArrowDown", "Enter"]) await page.keyboard.press(key);
  const one = await points(page);
  await page.keyboard.press("b");
  for (const key of ["Shift+ArrowRight", "Shift+ArrowDown", "Enter"]) await page.keyboard.press(key);
  const five = await points(page);
  await page.screenshot({ path: `${order.out}/keyboard.png` });
  await page.keyboard.press("u");
  const taken = await points(page);
  await page.keyboard.press(".");
  await untilText(page, "frame-text", "^1 /");
  await page.keyboard.press("Enter");
  await page.keyboard.press("t");
  await untilTracked(page);
  await page.focus("#save-json");
  const [download] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("Enter")]);
  await download.saveAs(`${order.out}/tracks.json`);
  await page.focus("#picture");
  await page.keyboard.press(" ");
  await untilText(page, "play", "^Pause$");
  await until(page, "frame 5", () => Number(document.getElementById("frame").value) > 4);
  await page.keyboard.press(" ");
  await untilText(page, "play", "^Play$");
  return { reached: [...reached], one, five, taken, said: await texts(page) };
}

/** Boxes, grids, undo and clear by mouse; the overlay saved as a video. */
export async function mouse(page, order) {
  await ready(page);
  await page.fill("#side", "3");
  const box = await page.locator("#picture").boundingBox();
  await page.mouse.move(box.x + box.width * 0.25, box.y + box.height * 0.25);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.75, box.y + box.height * 0.5, { steps: 4 });
  await page.mouse.up();
  const boxed = await points(page);
  await page.click("#grid");
  const both = await points(page);
  await page.click("#undo");
  const undone = await points(page);
  await page.click("#clear");
  const cleared = await points(page);
  await click(page, [0.3, 0.6]);
  await page.click("#track");
  await untilTracked(page);
  const film = await save(page, "#save-video", `${order.out}/overlay`);
  await goTo(page, 6);
  await page.selectOption("#speed", "2");
  await page.screenshot({ path: `${order.out}/mouse.png` });
  return { boxed, both, undone, cleared, film, said: await texts(page) };
}

/** Pictures of the page, and what axe finds wrong with it for people with disabilities. */
export async function looks(page, order) {
  await ready(page);
  await page.evaluate(readFileSync(order.axe, "utf8"));
  const found = {};
  for (const [name, scheme, width, height] of [
    ["light", "light", 1280, 900],
    ["dark", "dark", 1280, 900],
    ["phone", "light", 375, 800],
    ["phone-dark", "dark", 320, 700],
  ]) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize({ width, height });
    await page.waitForTimeout(300);
    await page.screenshot({ path: `${order.out}/${name}.png`, fullPage: true });
    found[name] = await page.evaluate(async () => {
      const { violations } = await globalThis.axe.run();
      const wide = document.documentElement.scrollWidth > window.innerWidth;
      return {
        violations: violations.map(({ id, nodes }) => `${id}: ${nodes.map((n) => n.html).join(" | ")}`),
        wide,
      };
    });
  }
  return found;
}

/** Seconds of encode and refine, a model and a number of threads after the other. */
export async function timing(page, order) {
  return page.evaluate(async ({ models, threads, side }) => {
    const { Tracker } = await import("./engine/tracker.js");
    const { Clip } = await import("./engine/clip.js");
    const { gridQueries, QuerySet } = await import("./engine/queries.js");
    const file = await (await fetch((await (await fetch("site.json")).json()).clip.path)).blob();
    const clip = await Clip.open(file, "clip");
    const [height, width] = clip.frameHw;
    const queries = new QuerySet();
    queries.add(gridQueries(side, side, { top: 0, left: 0, height, width }, 0));
    const found = [];
    for (const files of models) {
      for (const count of threads) {
        const absolute = Object.entries(files).map(([part, at]) => [part, new URL(at, location.href).href]);
        const tracker = new Tracker({ name: "model", files: Object.fromEntries(absolute) }, count);
        const facts = await tracker.open();
        const runs = [];
        for (let run = 0; run < 2; run++) {
          const done = await tracker.track(file, "clip", queries.toArray(), 48, () => {});
          runs.push(done.seconds);
        }
        tracker.close();
        found.push({ split: facts.split, threads: facts.threads, opened: facts.seconds, ...runs[1] });
      }
    }
    return found;
  }, order);
}
