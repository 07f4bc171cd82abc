// What a user does with the page. Each scenario takes the open page and its order.

/** What the page says, by id. */
export async function texts(page) {
  return page.evaluate(() => {
    const ids = ["clip-text", "model-text", "points-text", "result-text", "status", "error", "frame-text"];
    return Object.fromEntries(ids.map((id) => [id, document.getElementById(id).textContent]));
  });
}

async function untilText(page, id, pattern) {
  await page.waitForFunction(
    ([id, source]) => new RegExp(source).test(document.getElementById(id).textContent),
    [id, pattern],
  );
}

async function ready(page) {
  await untilText(page, "model-text", "opened in");
  await untilText(page, "clip-text", "frames of");
}

async function choose(page, file) {
  await page.setInputFiles("#clip-file", file);
  const name = file.split("/").at(-1);
  await untilText(page, "clip-text", `^${name}: `);
}

async function click(page, [across, down]) {
  const box = await page.locator("#picture").boundingBox();
  await page.mouse.click(box.x + box.width * across, box.y + box.height * down);
}

async function goTo(page, frame) {
  await page.locator("#frame").fill(String(frame));
  await untilText(page, "frame-text", `^${frame} /`);
}

async function save(page, selector, path) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.click(selector)]);
  await download.saveAs(path);
  return download.suggestedFilename();
}

/** A clip's frames as the page decodes them: base64 of (frames, height, width, 4). */
async function decodedFrames(page) {
  return page.evaluate(async () => {
    const { Clip } = await import("./clip.js");
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
  await choose(page, order.clip);
  await page.selectOption("#window", String(order.window));
  for (const { frame, at } of order.clicks) {
    await goTo(page, frame);
    await click(page, at);
  }
  await page.click("#track");
  await page.waitForFunction(
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
