// Runs one scenario of scenarios.mjs in headless Chromium: node run.mjs '{"scenario": ..., ...}'.
// Prints one JSON document: what the scenario returns, and what went wrong in the page.

import { chromium } from "playwright-core";
import * as scenarios from "./scenarios.mjs";

const order = JSON.parse(process.argv[2]);
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
  ],
});
try {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    acceptDownloads: true,
    ...order.context,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(600_000);
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
  const result = await scenarios[order.scenario](page, order);
  process.stdout.write(JSON.stringify({ result, pageErrors, elsewhere, uploads }) + "\n");
} finally {
  await browser.close();
}
