// The page's side of the worker: open a model, track, cancel.

import { DemoError } from "./errors.js";

/** @typedef {import("./tracker.worker.js").ModelFacts} ModelFacts */
/** @typedef {import("./tracker.worker.js").ModelSource} ModelSource */
/** @typedef {import("./tracker.worker.js").Order} Order */
/** @typedef {import("./tracker.worker.js").Report} Report */
/** @typedef {import("./tracking.js").Step} Step */
/** @typedef {Extract<Report, { kind: "tracked" }>} Tracked */

/** Thrown where the user cancelled. */
export class Cancelled extends DemoError {}

/** A model in a worker of its own. Cancelling ends the worker at once; the next call makes one. */
export class Tracker {
  #source;
  #threads;
  /** @type {Worker | null} */
  #worker = null;
  /** @type {((error: Error) => void) | null} */
  #giveUp = null;

  /**
   * @param {ModelSource} source
   * @param {number | null} threads null leaves it to the machine
   */
  constructor(source, threads) {
    this.#source = source;
    this.#threads = threads;
  }

  /**
   * Load the model, unless it is loaded.
   * @returns {Promise<ModelFacts | null>} null where it was there
   */
  async open() {
    if (this.#worker !== null) return null;
    this.#worker = new Worker(new URL("tracker.worker.js", import.meta.url), { type: "module" });
    const order = /** @type {const} */ ({
      kind: "open",
      model: this.#source,
      threads: this.#threads,
    });
    try {
      const report = await this.#ask(order, "opened", () => {});
      return report.facts;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * Track points (points, 3) as (t, y, x) through a clip.
   * @param {Blob} file
   * @param {string} name
   * @param {Float32Array} queriesTyx
   * @param {number} windowFrames
   * @param {(step: Step, done: number, total: number) => void} progress
   * @returns {Promise<Tracked>}
   */
  async track(file, name, queriesTyx, windowFrames, progress) {
    await this.open();
    const order = /** @type {const} */ ({ kind: "track", file, name, queriesTyx, windowFrames });
    return this.#ask(order, "tracked", progress);
  }

  /** End what runs, at once. */
  cancel() {
    this.#giveUp?.(new Cancelled("Cancelled."));
    this.close();
  }

  close() {
    this.#worker?.terminate();
    this.#worker = null;
    this.#giveUp = null;
  }

  /**
   * @template {"opened" | "tracked"} Kind
   * @param {Order} order
   * @param {Kind} due
   * @param {(step: Step, done: number, total: number) => void} progress
   * @returns {Promise<Extract<Report, { kind: Kind }>>}
   */
  #ask(order, due, progress) {
    const worker = this.#worker;
    if (worker === null) return Promise.reject(new Cancelled("Cancelled."));
    return new Promise((resolve, reject) => {
      this.#giveUp = reject;
      worker.onmessage = (/** @type {MessageEvent<Report>} */ { data: report }) => {
        if (report.kind === "progress") progress(report.step, report.done, report.total);
        else if (report.kind === "failed") reject(new DemoError(report.message));
        else if (report.kind === due) {
          resolve(/** @type {Extract<Report, { kind: Kind }>} */ (report));
        }
      };
      worker.onerror = (event) => {
        this.close();
        reject(new DemoError(workerFailure(event)));
      };
      worker.postMessage(order);
    });
  }
}

/** @param {ErrorEvent} event */
function workerFailure(event) {
  if (event.message) return `The tracker stopped: ${event.message}.`;
  return (
    "The tracker could not be started: a file of this page is missing or the browser ran out of " +
    "memory. Reload the page; the browser's console has the details."
  );
}
