// Runs one scenario of scenarios.mjs in headless Chromium: node run.mjs '{"scenario": ..., ...}'.
// Prints one JSON document: what the scenario returns, and what went wrong in the page.

import { chromium } from "playwright-core";
import * as cameras from "./cameras.mjs";
import { shown, WAIT_MS } from "./gestures.mjs";
import * as races from "./races.mjs";
import * as scenarios from "./scenarios.mjs";

const order = JSON.parse(process.argv[2]);
// Since this process began; it has a little longer itself, to ask the page what it shows.
const DUE_MS = 1000 * order.limit_s - 20_000;

/** The scenario's result. Its error says what the page showed, be it a time-out or anything else. */
async function played(page) {
  let clock;
  const late = new Promise((_, reject) => {
    const what = `waited ${DUE_MS / 1000} s for the end of the scenario ${order.scenario}`;
    clock = setTimeout(reject, DUE_MS - performance.now(), new Error(what));
  });
  try {
    const scenario = { ...scenarios, ...races, ...cameras }[order.scenario];
    return await Promise.race([scenario(page, order), late]);
  } catch (error) {
    throw new Error(`${error.message}; the page showed ${await shown(page)}`, { cause: error });
  } finally {
    clearTimeout(clock);
  }
}

const browser = await chromium.launch({
  executablePath: order.chromium,
  headless: true,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    ...(order.flags ?? []),
  ],
});
try {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    acceptDownloads: true,
    ...order.context,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  const pageErrors = [];
  const elsewhere = [];
  page.on("pageerror", (error) => pageErrors.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(order.url) && !/^(blob|data):/.test(request.url())) {
      elsewhere.push(request.url());
    }
  });
  const uploads = [];
  page.on("request", (request) => {
    if (request.method() !== "GET") uploads.push(`${request.method()} ${request.url()}`);
  });
  await page.goto(order.url);
  const result = await played(page);
  process.stdout.write(JSON.stringify({ result, pageErrors, elsewhere, uploads }) + "\n");
} catch (error) {
  process.stderr.write(`${error.message}\n${error.cause?.stack ?? ""}\n`);
  process.exitCode = 1;
} finally {
  // A browser that does not close is killed as this process exits.
  await Promise.race([browser.close(), new Promise((resolve) => setTimeout(resolve, 10_000))]);
}
process.exit();
