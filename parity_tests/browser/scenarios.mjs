// What a user does with the page. Each scenario takes the open page and its order.

import { readFileSync } from "node:fs";

import {
  chooseClip,
  chooseModel,
  chooseRefused,
  click,
  goTo,
  openSettings,
  points,
  ready,
  save,
  texts,
  until,
  untilText,
  untilTracked,
  untilTrackedAndStill,
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
  await openSettings(page);
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
  await until(page, "the first frame", () => document.getElementById("progress").value > 0);
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
  await page.focus("#settings > summary");
  await page.keyboard.press("Enter");
  await page.evaluate(() => document.activeElement.blur());
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
  await untilTrackedAndStill(page);
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
  await openSettings(page);
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

/** What a visitor sees who has never been here: the clip of the package, and one click to points. */
export async function firstVisit(page, order) {
  await ready(page);
  const hint = () => page.locator("#hint").innerText();
  const first = { hint: await hint(), frame: await page.inputValue("#frame"), ...(await texts(page)) };
  const credit = await page.locator("#credit").innerText();
  await goTo(page, 3);
  await page.click("#grid");
  await untilText(page, "frame-text", "^10 /");
  const example = await points(page);
  const hinted = await page.locator("#hint").isVisible();
  await page.click("#track");
  await untilTrackedAndStill(page);
  await page.screenshot({ path: `${order.out}/first.png` });
  const tracked = await texts(page);
  await page.click("#theme");
  const toggled = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.reload();
  await ready(page);
  const remembered = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.reload();
  await ready(page);
  await click(page, [0.5, 0.5]);
  await page.click("#track");
  await untilTracked(page);
  await page.waitForTimeout(500);
  const still = await page.textContent("#play");
  return { first, credit, example, hinted, tracked, toggled, remembered, still };
}

/** Points deleted on the picture, in the list and by keyboard, before and after tracking. */
export async function deletions(page, order) {
  await ready(page);
  const place = async ([across, down]) => {
    const box = await page.locator("#picture").boundingBox();
    return [box.x + box.width * across, box.y + box.height * down];
  };
  const spots = [[0.25, 0.25], [0.5, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]];
  for (const spot of spots) await click(page, spot);
  const colours = await page.evaluate(() =>
    [...document.querySelectorAll("#points-list .dot")].map((dot) => getComputedStyle(dot).backgroundColor),
  );
  await page.mouse.click(...(await place(spots[1])), { button: "right" });
  const right = await points(page);
  await page.evaluate(() => (document.getElementById("status").textContent = ""));
  await page.mouse.move(...(await place(spots[2])));
  await page.mouse.down();
  await untilText(page, "status", "^Point removed");
  await page.mouse.up();
  const held = await points(page);
  await page.mouse.click(...(await place([0.5, 0.5])), { button: "right" });
  const nothing = (await texts(page)).status;
  await page.mouse.move(...(await place([0.5, 0.5])));
  await page.mouse.down();
  await page.waitForTimeout(800);
  await page.mouse.up();
  const slow = await points(page);
  await page.click("#track");
  await untilTrackedAndStill(page);
  await page.locator("#points-list button").nth(1).focus();
  await page.keyboard.press("Enter");
  const focused = await page.evaluate(() => document.activeElement.getAttribute("aria-label"));
  const left = await points(page);
  await save(page, "#save-json", `${order.out}/tracks.json`);
  await chooseClip(page, order.tall);
  await click(page, [0.25, 0.75]);
  const tall = await page.evaluate(() => {
    const { width, height } = document.getElementById("picture").getBoundingClientRect();
    return { aspect: width / height, points: document.getElementById("points-list").textContent };
  });
  return { colours, right, held, nothing, slow, focused, left, tall };
}

/** What axe finds wrong with the page for people with disabilities, and whether it is too wide. */
async function examined(page) {
  return page.evaluate(async () => {
    const { violations } = await globalThis.axe.run();
    return {
      violations: violations.map(({ id, nodes }) => `${id}: ${nodes.map((n) => n.html).join(" | ")}`),
      wide: document.documentElement.scrollWidth > window.innerWidth,
    };
  });
}

/** Pictures of the page before and after tracking, and what is wrong with each. */
export async function looks(page, order) {
  await ready(page);
  await page.evaluate(readFileSync(order.axe, "utf8"));
  const found = {};
  for (const state of ["before", "after"]) {
    for (const [name, scheme, width, height] of [
      ["light", "light", 1280, 800],
      ["dark", "dark", 1280, 800],
      ["phone", "light", 390, 844],
      ["phone-dark", "dark", 320, 700],
    ]) {
      await page.emulateMedia({ colorScheme: scheme });
      await page.setViewportSize({ width, height });
      await page.waitForTimeout(300);
      await page.screenshot({ path: `${order.out}/${state}-${name}.png` });
      const targets = await page.evaluate(() =>
        ["play", "grid", "track", "clear"].map((id) => {
          const { width, height, bottom } = document.getElementById(id).getBoundingClientRect();
          return { width, height, inReach: bottom <= window.innerHeight };
        }),
      );
      found[`${state}-${name}`] = { ...(await examined(page)), targets };
    }
    if (state === "after") break;
    await page.setViewportSize({ width: 1280, height: 800 });
    await click(page, [0.5, 0.5]);
    await click(page, [0.3, 0.5]);
    await page.click("#track");
    await untilTrackedAndStill(page);
    await openSettings(page);
    await page.click("#help > summary");
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
