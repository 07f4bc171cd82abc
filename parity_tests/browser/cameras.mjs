// The page with a camera: Chromium's fake one, which plays a film whose frames carry their number.

import { click, points, ready, texts, until, untilText } from "./gestures.mjs";

/**
 * Note what the live worker answers, and the number that stands in each frame (bits of 16 pixels,
 * of 320x240, in its upper left corner). It listens beside the page, and changes nothing.
 */
async function watched(page) {
  await page.addInitScript(() => {
    globalThis.answers = [];
    const canvas = new OffscreenCanvas(320, 240);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const Plain = globalThis.Worker;
    globalThis.Worker = class extends Plain {
      constructor(...given) {
        super(...given);
        this.addEventListener("message", ({ data }) => {
          if (data.kind !== "answered") return;
          const { picture, tracks } = data;
          context.drawImage(picture, 0, 0, 320, 240);
          const bits = [...Array(8).keys()].map((bit) => context.getImageData(16 * bit + 8, 8, 1, 1).data[1] > 127);
          globalThis.answers.push({
            number: bits.reduce((sum, bit, i) => sum + (Number(bit) << i), 0),
            frameHw: [picture.height, picture.width],
            index: tracks.frameIndex,
            ids: [...tracks.ids],
            xy: [...tracks.xy],
            visible: [...tracks.visible],
            ms: data.ms,
          });
        });
      }
    };
  });
  await page.reload();
}

const answered = (page) => page.evaluate(() => globalThis.answers.length);

async function moreAnswers(page, count) {
  const before = await answered(page);
  await until(
    page,
    `${count} more answers`,
    (due) => globalThis.answers.length >= due || document.getElementById("error").textContent,
    before + count,
  );
}

const lookOf = (page) => page.evaluate(() => globalThis.answers.at(-1));

/** Camera on, points by mouse, one removed by a long press, the rest followed; camera off. */
export async function camera(page, order) {
  await watched(page);
  await ready(page);
  await page.click("#camera");
  await until(
    page,
    "the first answer",
    () => globalThis.answers.length > 0 || document.getElementById("error").textContent,
  );
  const opened = await texts(page);
  if (opened.error) return { opened };
  const added = [];
  for (const at of order.taps) {
    await click(page, at);
    await moreAnswers(page, 2);
    added.push(await points(page));
  }
  await moreAnswers(page, order.frames);
  await page.screenshot({ path: `${order.out}/camera.png` });
  const whole = await texts(page);
  // Where the first point is now: a press that stays.
  const { xy, frameHw } = await lookOf(page);
  const box = await page.locator("#picture").boundingBox();
  await page.mouse.move(box.x + (box.width * xy[0]) / frameHw[1], box.y + (box.height * xy[1]) / frameHw[0]);
  await page.mouse.down();
  await untilText(page, "status", "^(Point removed|There is no)");
  await page.mouse.up();
  const removed = { ...(await texts(page)), points: await points(page) };
  await moreAnswers(page, 3);
  const left = (await lookOf(page)).ids;
  await page.click("#undo");
  await untilText(page, "status", "^Taken back: 1");
  await moreAnswers(page, 2);
  const undone = (await lookOf(page)).ids;
  await page.click("#camera");
  await untilText(page, "camera", "^Camera$");
  const stopped = await texts(page);
  const count = await answered(page);
  await page.waitForTimeout(500);
  await page.screenshot({ path: `${order.out}/stopped.png` });
  return {
    opened,
    added,
    whole,
    removed,
    left,
    undone,
    stopped,
    more: (await answered(page)) - count,
    answers: await page.evaluate(() => globalThis.answers),
  };
}

/** A page without a live model; one is chosen, and then nobody lets the page have a camera. */
export async function refusedCamera(page, order) {
  await ready(page);
  const said = [];
  const press = async () => {
    await page.click("#camera");
    await until(page, "a refusal", () => document.getElementById("error").textContent !== "");
    said.push((await texts(page)).error);
  };
  await press();
  await page.setInputFiles("#model-file", order.files.slice(0, 2));
  await until(page, "a refusal", () => /is three files/.test(document.getElementById("error").textContent));
  said.push((await texts(page)).error);
  await page.setInputFiles("#model-file", order.files);
  await untilText(page, "status", "is for the camera");
  await press();
  return { said, button: await page.textContent("#camera"), after: await texts(page) };
}
