// What a user does on the page and waits for; every wait is bounded and says what it waited for.

export const WAIT_MS = 60_000;

/** What the page says, by id, and which controls it offers. */
export async function texts(page) {
  return page.evaluate(() => {
    const ids = ["clip-text", "model-text", "points-text", "result-text", "status", "error", "frame-text"];
    return Object.fromEntries(ids.map((id) => [id, document.getElementById(id).textContent]));
  });
}

/** The page in one line, for messages; a page that is stuck answers nothing. */
export async function shown(page) {
  const stuck = new Promise((resolve) => setTimeout(resolve, 5_000, "nothing: it does not answer"));
  const said = async () => {
    const off = await page.evaluate(() =>
      [...document.querySelectorAll("button:disabled, fieldset:disabled")].map(({ id }) => id),
    );
    return JSON.stringify({ ...(await texts(page)), disabled: off.join(" ") });
  };
  return Promise.race([said().catch((error) => `nothing: ${error.message}`), stuck]);
}

/**
 * Wait until a predicate holds in the page. `what` is for the message of a time-out, to which
 * run.mjs adds what the page showed.
 */
export async function until(page, what, predicate, argument, limit = WAIT_MS) {
  try {
    await page.waitForFunction(predicate, argument, { timeout: limit });
  } catch (error) {
    throw new Error(`waited ${limit / 1000} s for ${what}`, { cause: error });
  }
}

export async function untilText(page, id, pattern) {
  await until(
    page,
    `#${id} to say /${pattern}/`,
    ([id, source]) => new RegExp(source).test(document.getElementById(id).textContent),
    [id, pattern],
  );
}

/** Model and clip of the site are open. */
export async function ready(page) {
  await untilText(page, "model-text", "opened in");
  await untilText(page, "clip-text", "frames of");
}

const nameOf = (file) => file.split("/").at(-1);

/** The status is wiped first: the clip before this one may have had the same name. */
export async function chooseClip(page, file) {
  await page.evaluate(() => (document.getElementById("status").textContent = ""));
  await page.setInputFiles("#clip-file", file);
  await untilText(page, "status", `^${nameOf(file)} is open`);
}

/** The model's text is wiped first, for the same reason. */
export async function chooseModel(page, file) {
  await page.evaluate(() => (document.getElementById("model-text").textContent = ""));
  await page.setInputFiles("#model-file", file);
  await untilText(page, "model-text", `^${nameOf(file)}, .*opened in`);
}

/** Choose a file that the page refuses; gives what it says, and wipes the error. */
export async function chooseRefused(page, selector, file) {
  await page.setInputFiles(selector, file);
  await until(
    page,
    `${nameOf(file)} to be refused`,
    () => document.getElementById("error").textContent !== "",
  );
  const said = await texts(page);
  await page.evaluate(() => (document.getElementById("error").textContent = ""));
  return said;
}

export async function click(page, [across, down]) {
  const box = await page.locator("#picture").boundingBox();
  await page.mouse.click(box.x + box.width * across, box.y + box.height * down);
}

export async function goTo(page, frame) {
  await page.locator("#frame").fill(String(frame));
  await untilText(page, "frame-text", `^${frame} /`);
}

export async function untilTracked(page) {
  await untilText(page, "result-text", "points? through");
}

/** What tracking ends with: the clip plays from the beginning. Then it stands still again. */
export async function untilTrackedAndStill(page) {
  await untilTracked(page);
  await untilText(page, "play", "^Pause$");
  await page.click("#play");
  await untilText(page, "play", "^Play$");
}

export async function openSettings(page) {
  await page.click("#settings > summary");
}

export async function save(page, selector, path) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.click(selector)]);
  await download.saveAs(path);
  return download.suggestedFilename();
}

/** The points that the page lists. */
export async function points(page) {
  return page.evaluate(() =>
    [...document.querySelectorAll("#points-list li")].map((li) => li.textContent.trim()),
  );
}
