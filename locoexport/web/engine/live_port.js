// The page's side of the live worker: what is asked, answered in that order.

import { DemoError } from "./errors.js";

/** @typedef {import("./live.worker.js").LiveFacts} LiveFacts */
/** @typedef {import("./live.worker.js").LiveOrder} LiveOrder */
/** @typedef {import("./live.worker.js").LiveReport} LiveReport */
/** @typedef {import("./model_source.js").ModelSource} ModelSource */
/** @typedef {Extract<LiveReport, { kind: "answered" }>} LiveAnswered */
/**
 * @typedef {object} Asked
 * @property {(report: LiveReport) => void} resolve
 * @property {(error: Error) => void} reject
 */

/** A live model in a worker of its own. `close` ends it at once, and every order with it. */
export class LivePort {
  #worker;
  /** @type {Asked[]} not answered yet, oldest first */
  #asked = [];

  constructor() {
    this.#worker = new Worker(new URL("live.worker.js", import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data: report }) => this.#answered(report);
    this.#worker.onmessageerror = () => this.close(new DemoError("An answer could not be read."));
    this.#worker.onerror = (event) =>
      this.close(
        new DemoError(
          `The tracker stopped: ${event.message || "a file is missing or memory ran out"}. Reload the page.`,
        ),
      );
  }

  /**
   * @param {ModelSource} model
   * @param {number | null} threads null leaves it to the machine
   * @returns {Promise<LiveFacts>}
   */
  async open(model, threads) {
    return (await this.#ask({ kind: "open", model, threads }, "opened")).facts;
  }

  /**
   * A frame; it is handed over, and comes back with its answer.
   * @param {ImageBitmap} picture
   */
  push(picture) {
    return this.#ask({ kind: "push", picture }, "answered", [picture]);
  }

  /**
   * @param {Float32Array} pointsYx (points, 2) in pixels of a frame
   * @param {number} frameIndex the newest, or the one before
   * @returns {Promise<number[]>} their ids
   */
  async add(pointsYx, frameIndex) {
    return (await this.#ask({ kind: "add", pointsYx, frameIndex }, "added")).ids;
  }

  /** @param {number[]} ids */
  async remove(ids) {
    await this.#ask({ kind: "remove", ids }, "done");
  }

  async reset() {
    await this.#ask({ kind: "reset" }, "done");
  }

  /** @param {Error} error what orders that are not answered end with */
  close(error) {
    this.#worker.terminate();
    for (const { reject } of this.#asked.splice(0)) reject(error);
  }

  /**
   * @template {LiveReport["kind"]} Kind
   * @param {LiveOrder} order
   * @param {Kind} due
   * @param {Transferable[]} moved
   * @returns {Promise<Extract<LiveReport, { kind: Kind }>>}
   */
  async #ask(order, due, moved = []) {
    /** @type {Promise<LiveReport>} */
    const answer = new Promise((resolve, reject) => this.#asked.push({ resolve, reject }));
    this.#worker.postMessage(order, moved);
    const report = await answer;
    if (report.kind === due) return /** @type {Extract<LiveReport, { kind: Kind }>} */ (report);
    throw new Error(`the live tracker said ${report.kind} in place of ${due}`);
  }

  /** @param {LiveReport} report */
  #answered(report) {
    const asked = this.#asked.shift();
    if (report.kind === "failed") asked?.reject(new DemoError(report.message));
    else asked?.resolve(report);
  }
}
