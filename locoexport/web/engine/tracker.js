// The page's side of the worker: open a model, track, cancel.

import { DemoError } from "./errors.js";

/** @typedef {import("./tracker.worker.js").ModelFacts} ModelFacts */
/** @typedef {import("./model_source.js").ModelSource} ModelSource */
/** @typedef {import("./tracker.worker.js").Order} Order */
/** @typedef {import("./tracker.worker.js").Report} Report */
/** @typedef {import("./tracking.js").Step} Step */
/** @typedef {Extract<Report, { kind: "tracked" }>} Tracked */

/** Thrown where the user cancelled. */
export class Cancelled extends DemoError {}

/**
 * A model in a worker of its own, which gets one order at a time. Every order is answered: by the
 * worker, by its failure, or by `close`, which ends the worker at once; the next call makes one.
 */
export class Tracker {
  #source;
  #threads;
  /** @type {Worker | null} */
  #worker = null;
  /** @type {Promise<ModelFacts> | null} of this worker */
  #opened = null;
  /** @type {((error: Error) => void) | null} ends the order that is not answered yet */
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
   * @returns {Promise<ModelFacts>}
   */
  open() {
    this.#opened ??= this.#start();
    return this.#opened;
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
  close() {
    this.#stop(new Cancelled("Cancelled."));
  }

  async #start() {
    const worker = new Worker(new URL("tracker.worker.js", import.meta.url), { type: "module" });
    this.#worker = worker;
    // Also between two orders: a worker that fell over is not asked again.
    worker.onerror = (event) => this.#stop(new DemoError(workerFailure(event)));
    worker.onmessageerror = () =>
      this.#stop(new DemoError("The tracker's answer could not be read; track fewer points."));
    const order = /** @type {const} */ ({
      kind: "open",
      model: this.#source,
      threads: this.#threads,
    });
    try {
      const report = await this.#ask(order, "opened", () => {});
      return report.facts;
    } catch (error) {
      if (this.#worker === worker) this.close();
      throw error;
    }
  }

  /** @param {Error} error what the order that is not answered yet ends with */
  #stop(error) {
    const giveUp = this.#giveUp;
    this.#worker?.terminate();
    this.#answered();
    this.#worker = null;
    this.#opened = null;
    giveUp?.(error);
  }

  /** What a worker sends behind its answer, or has sent before it was ended, is nobody's. */
  #answered() {
    if (this.#worker !== null) this.#worker.onmessage = null;
    this.#giveUp = null;
  }

  /**
   * @template {"opened" | "tracked"} Kind
   * @param {Order} order
   * @param {Kind} due
   * @param {(step: Step, done: number, total: number) => void} progress
   * @returns {Promise<Extract<Report, { kind: Kind }>>}
   */
  async #ask(order, due, progress) {
    const worker = this.#worker;
    if (worker === null) throw new Cancelled("Cancelled.");
    // An answer carries no order's name, so a second order could take the first one's.
    if (this.#giveUp !== null) throw new Error("the tracker was given two orders at once");
    worker.postMessage(order);
    return new Promise((resolve, reject) => {
      this.#giveUp = reject;
      worker.onmessage = (/** @type {MessageEvent<Report>} */ { data: report }) => {
        if (report.kind === "progress") {
          progress(report.step, report.done, report.total);
          return;
        }
        this.#answered();
        if (report.kind === due) resolve(/** @type {Extract<Report, { kind: Kind }>} */ (report));
        else if (report.kind === "failed") reject(new DemoError(report.message));
        else reject(new Error(`the tracker said ${report.kind} in place of ${due}`));
      };
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
