// What the page is asked to do that takes time, and what of it may happen at once. This is decided
// here alone, so that no control has to know of another:
// - of each subject the newest opening counts, and it ends an older one that is not through;
// - a run (tracking, recording) is alone: it waits for what is being opened, and nothing is
//   opened until it has ended;
// - an order that is ended answers at once, whatever its work does; its work asks the signal
//   before it changes anything.

import { DemoError } from "../engine/errors.js";
import { Cancelled } from "../engine/tracker.js";

/** @typedef {"model" | "clip"} Subject what is opened */
/** @typedef {(signal: AbortSignal) => Promise<void>} Work */
/**
 * @typedef {object} Order
 * @property {string} name
 * @property {Subject | null} subject null for a run
 * @property {AbortController} end
 * @property {Promise<void>} answer
 */

/** Thrown into an opening that a newer one replaces. */
export class Replaced extends Cancelled {}

/** Thrown where a run waited for something that could not be opened. */
export class Dropped extends Cancelled {}

export class Orders {
  /** @type {Set<Order>} not answered yet */
  #pending = new Set();
  #changed;

  /** @param {() => void} changed an order came or was answered */
  constructor(changed) {
    this.#changed = changed;
  }

  /** Whether there is anything to cancel. */
  get busy() {
    return this.#pending.size > 0;
  }

  /** @returns {string | null} the run's name */
  get running() {
    return this.#find(null)?.name ?? null;
  }

  /**
   * @param {Subject} subject
   * @returns {string | null} the name of what is being opened
   */
  opening(subject) {
    return this.#find(subject)?.name ?? null;
  }

  /**
   * @param {Subject} subject
   * @param {string} name
   * @param {Work} work
   */
  async open(subject, name, work) {
    this.#refuseBesideARun();
    this.#find(subject)?.end.abort(new Replaced(`${name} was opened in its place.`));
    await this.#add(subject, name, work);
  }

  /**
   * @param {string} name
   * @param {Work} work
   * @param {(names: string[]) => void} waiting told of what is opened first
   */
  async run(name, work, waiting) {
    this.#refuseBesideARun();
    const openings = [...this.#pending];
    if (openings.length > 0) waiting(openings.map((opening) => opening.name));
    await this.#add(null, name, async (signal) => {
      const ends = await Promise.allSettled(openings.map((opening) => opening.answer));
      const failed = openings.filter((_, i) => ends[i].status === "rejected");
      if (failed.length > 0) throw new Dropped(`${name} did not begin: ${failed[0].name} is not open.`);
      signal.throwIfAborted();
      await work(signal);
    });
  }

  /** End the run; where there is none, what is being opened. */
  cancel() {
    const run = this.#find(null);
    for (const order of run ? [run] : this.#pending) order.end.abort(new Cancelled("Cancelled."));
  }

  /** @param {Subject | null} subject */
  #find(subject) {
    return [...this.#pending].find(
      (order) => order.subject === subject && !order.end.signal.aborted,
    );
  }

  #refuseBesideARun() {
    const { running } = this;
    if (running === null) return;
    throw new DemoError(`${running} is not finished: wait for its end, or cancel it first.`);
  }

  /**
   * @param {Subject | null} subject
   * @param {string} name
   * @param {Work} work
   */
  async #add(subject, name, work) {
    const end = new AbortController();
    /** @type {Promise<never>} */
    const ended = new Promise((_, reject) => {
      end.signal.addEventListener("abort", () => reject(end.signal.reason));
    });
    // A moment later, so that the order is known before its work asks for anything.
    const answer = Promise.race([Promise.resolve().then(() => work(end.signal)), ended]);
    const order = { name, subject, end, answer };
    this.#pending.add(order);
    this.#changed();
    try {
      await answer;
    } finally {
      this.#pending.delete(order);
      this.#changed();
    }
  }
}
