// Tracks over windows: locoexport/runtime/tracking/stitching.py in JavaScript; the rule is written there.

import { isVisible } from "./visibility.js";

/** @typedef {import("./windows.js").Window} Window */
/** @typedef {import("./windows.js").WindowSize} WindowSize */

/**
 * One run of the model: these points, (points, 3) in the window's time, over this video.
 * @typedef {object} Request
 * @property {Float32Array} video
 * @property {number[]} points
 * @property {Float32Array} queriesTyx
 */

const NEVER = -1;

/** What is known of a window: (points, frames, 2), and confidence (points, frames). */
class Answers {
  /**
   * @param {number} start
   * @param {number} points
   * @param {number} frames
   */
  constructor(start, points, frames) {
    this.start = start;
    this.frames = frames;
    this.xy = new Float32Array(points * frames * 2).fill(NaN);
    this.confidence = new Float32Array(points * frames);
  }

  /**
   * @param {number} point
   * @param {number} step frame of the window
   */
  visible(point, step) {
    return isVisible(this.confidence[point * this.frames + step]);
  }
}

/**
 * The points of one pass over a clip, in the model's pixels. For each window: `begin`, then each
 * of `requests` run and given to `answer`, then `finish`.
 */
export class Stitcher {
  #size;
  #asked;
  #ownTimes;
  #queries;
  #count;
  #begun;
  #active;
  #fresh;
  #anchored;
  #holdUntil;
  #anchorTimes;
  #anchorXy;
  /** @type {Map<number, Float32Array>} frames by time, in order */
  #anchors = new Map();
  /** @type {Answers | null} */
  #recent = null;
  /** @type {Answers} */
  #now = new Answers(0, 0, 0);

  /**
   * @param {Float32Array} queriesTyx (points, 3), in the time of this pass
   * @param {WindowSize} size
   */
  constructor(queriesTyx, size) {
    this.#size = size;
    this.#asked = queriesTyx.slice();
    this.#queries = queriesTyx.slice();
    this.#count = queriesTyx.length / 3;
    this.#ownTimes = Int32Array.from({ length: this.#count }, (_, point) => {
      const time = queriesTyx[3 * point];
      return Number.isInteger(time) ? time : NEVER;
    });
    this.#begun = new Uint8Array(this.#count);
    this.#active = new Uint8Array(this.#count);
    this.#fresh = new Uint8Array(this.#count);
    this.#anchored = new Uint8Array(this.#count);
    this.#holdUntil = new Int32Array(this.#count).fill(NEVER);
    this.#anchorTimes = new Int32Array(this.#count).fill(NEVER);
    this.#anchorXy = new Float32Array(this.#count * 2);
  }

  /**
   * Look at the next window.
   * @param {Window} window
   * @returns {number} how many points are tracked in it
   */
  begin(window) {
    let active = 0;
    for (let point = 0; point < this.#count; point++) {
      const inside = this.#queries[3 * point] <= window.end - 1;
      this.#active[point] = Number(inside);
      this.#fresh[point] = Number(inside && !this.#begun[point]);
      active += Number(inside);
    }
    this.#anchored.fill(0);
    this.#holdUntil.fill(NEVER);
    if (this.#recent !== null) this.#carry(this.#recent, window);
    this.#now = new Answers(window.start, this.#count, window.frames);
    return active;
  }

  /**
   * What has to be run for this window.
   * @param {Window} window
   * @param {number} perCall points at most
   * @returns {Generator<Request>}
   */
  *requests(window, perCall) {
    const indices = Array.from({ length: this.#count }, (_, point) => point);
    const plain = indices.filter((point) => this.#active[point] && !this.#anchored[point]);
    yield* this.#split(window.video, plain, window.start, perCall);
    const anchored = indices.filter((point) => this.#anchored[point]);
    if (anchored.length > 0) {
      yield* this.#split(this.#videoWithAnchors(window), anchored, 0, perCall);
    }
  }

  /**
   * Take the model's answer to a request.
   * @param {Request} request
   * @param {Float32Array} xy (points, frames, 2)
   * @param {Float32Array} confidence (points, frames)
   */
  answer(request, xy, confidence) {
    const frames = this.#now.frames;
    request.points.forEach((point, row) => {
      const from = row * frames;
      this.#now.xy.set(xy.subarray(2 * from, 2 * (from + frames)), 2 * point * frames);
      this.#now.confidence.set(confidence.subarray(from, from + frames), point * frames);
    });
  }

  /**
   * Join this window to what went before.
   * @param {Window} window
   * @returns {{ xy: Float32Array, confidence: Float32Array, isNew: Uint8Array }}
   *   of the window, and which of (points, frames) are new
   */
  finish(window) {
    const now = this.#now;
    if (this.#recent !== null) this.#keepOlder(this.#recent, window);
    const isNew = new Uint8Array(this.#count * now.frames);
    for (let point = 0; point < this.#count; point++) {
      for (let step = 0; step < now.frames; step++) {
        const late = this.#begun[point] && window.start + step >= window.commitFrom;
        isNew[point * now.frames + step] = Number(this.#fresh[point] || late);
      }
      this.#begun[point] |= this.#fresh[point];
    }
    this.#recent = now;
    this.#chooseAnchors(now, window);
    return { xy: now.xy, confidence: now.confidence, isNew };
  }

  /**
   * @param {Float32Array} video
   * @param {number[]} points
   * @param {number} origin
   * @param {number} perCall
   * @returns {Generator<Request>}
   */
  *#split(video, points, origin, perCall) {
    for (let first = 0; first < points.length; first += perCall) {
      const part = points.slice(first, first + perCall);
      const queriesTyx = new Float32Array(part.length * 3);
      part.forEach((point, row) => {
        queriesTyx.set(this.#queries.subarray(3 * point, 3 * point + 3), 3 * row);
        queriesTyx[3 * row] -= origin;
      });
      yield { video, points: part, queriesTyx };
    }
  }

  /**
   * Where each point that was tracked before is asked for now.
   * @param {Answers} recent
   * @param {Window} window
   */
  #carry(recent, window) {
    const shared = recent.start + recent.frames - window.start;
    const offset = recent.frames - shared;
    const slots = new Map([...this.#anchors.keys()].map((time, slot) => [time, slot]));
    const behindAnchors = window.start + this.#anchors.size;
    const middle = window.commitFrom + Math.floor(this.#size.overlap / 2);
    for (let point = 0; point < this.#count; point++) {
      if (!this.#begun[point]) continue;
      const { step, found } = lastSeen(recent, point, offset);
      const at = 2 * (point * recent.frames + offset + step);
      let query = [window.start + step, recent.xy[at + 1], recent.xy[at]];
      let hold = window.start + (found ? step : shared - 1);
      const anchor = this.#anchorTimes[point];
      const own = anchor !== NEVER && anchor === this.#ownTimes[point];
      if (this.#asked[3 * point] >= window.start) {
        query = [...this.#asked.subarray(3 * point, 3 * point + 3)];
        hold = middle - 1;
      } else if (own || (!found && anchor !== NEVER)) {
        this.#anchored[point] = 1;
        const slot = /** @type {number} */ (slots.get(anchor));
        query = [slot, this.#anchorXy[2 * point + 1], this.#anchorXy[2 * point]];
        hold = Math.max(own ? middle : window.commitFrom, behindAnchors) - 1;
      }
      this.#holdUntil[point] = hold;
      this.#queries.set(query, 3 * point);
    }
  }

  /** @param {Window} window */
  #videoWithAnchors(window) {
    const video = window.video.slice();
    let slot = 0;
    for (const frame of this.#anchors.values()) video.set(frame, frame.length * slot++);
    return video;
  }

  /**
   * @param {Answers} recent
   * @param {Window} window
   */
  #keepOlder(recent, window) {
    const now = this.#now;
    const shared = recent.start + recent.frames - window.start;
    for (let point = 0; point < this.#count; point++) {
      const kept = Math.min(shared, this.#holdUntil[point] - window.start + 1);
      if (kept <= 0) continue;
      const from = point * recent.frames + recent.frames - shared;
      const to = point * now.frames;
      now.xy.set(recent.xy.subarray(2 * from, 2 * (from + kept)), 2 * to);
      now.confidence.set(recent.confidence.subarray(from, from + kept), to);
    }
  }

  /**
   * Frames for the next window: points' own ones, then those that show most lost points.
   * @param {Answers} recent
   * @param {Window} window
   */
  #chooseAnchors(recent, window) {
    const room = Math.floor(this.#size.overlap / 2);
    const own = this.#ownFrames(window);
    const sizes = [...own].sort(([a, of], [b, than]) => than.size - of.size || a - b);
    const chosen = sizes.slice(0, room).map(([time]) => time);
    const home = new Set(chosen.flatMap((time) => [...(own.get(time) ?? [])]));
    const shows = this.#framesOfLost(recent, window, home);
    const waiting = new Set([...shows.values()].flatMap((points) => [...points]));
    for (const time of chosen) for (const point of shows.get(time) ?? []) waiting.delete(point);
    while (waiting.size > 0 && chosen.length < room) {
      const time = mostServed(shows, waiting);
      chosen.push(time);
      for (const point of shows.get(time) ?? []) waiting.delete(point);
    }
    chosen.sort((a, b) => a - b);
    this.#keepAnchors(recent, window, chosen, own, shows);
  }

  /**
   * The points' own frames that are at hand, each with its points.
   * @param {Window} window
   * @returns {Map<number, Set<number>>}
   */
  #ownFrames(window) {
    const own = new Map();
    for (let point = 0; point < this.#count; point++) {
      const time = this.#ownTimes[point];
      if (!this.#begun[point] || time === NEVER) continue;
      if (time < window.start && !this.#anchors.has(time)) continue;
      own.set(time, (own.get(time) ?? new Set()).add(point));
    }
    return own;
  }

  /**
   * For points that the next window will not see: frames that show them, with the points.
   * @param {Answers} recent
   * @param {Window} window
   * @param {Set<number>} home points that need none
   * @returns {Map<number, Set<number>>}
   */
  #framesOfLost(recent, window, home) {
    const overlap = Math.min(this.#size.overlap, window.frames);
    const lost = [];
    for (let point = 0; point < this.#count; point++) {
      if (!this.#begun[point] || home.has(point)) continue;
      if (!lastSeen(recent, point, recent.frames - overlap).found) lost.push(point);
    }
    const shows = new Map();
    for (const time of this.#anchors.keys()) {
      shows.set(time, new Set(lost.filter((point) => this.#anchorTimes[point] === time)));
    }
    for (let step = 0; step < recent.frames; step++) {
      const points = lost.filter((point) => recent.visible(point, step));
      if (points.length > 0) shows.set(window.start + step, new Set(points));
    }
    return shows;
  }

  /**
   * @param {Answers} recent
   * @param {Window} window
   * @param {number[]} chosen in order
   * @param {Map<number, Set<number>>} own
   * @param {Map<number, Set<number>>} shows
   */
  #keepAnchors(recent, window, chosen, own, shows) {
    const pixels = window.video.length / window.frames;
    const anchors = new Map();
    const times = new Int32Array(this.#count).fill(NEVER);
    for (const time of chosen) {
      const kept = this.#anchors.get(time);
      const at = time - window.start;
      anchors.set(time, kept ?? window.video.slice(at * pixels, (at + 1) * pixels));
      for (const point of shows.get(time) ?? []) {
        times[point] = time;
        if (kept) continue;
        const from = 2 * (point * recent.frames + at);
        this.#anchorXy.set(recent.xy.subarray(from, from + 2), 2 * point);
      }
    }
    for (const time of chosen) {
      for (const point of own.get(time) ?? []) {
        times[point] = time;
        const [, y, x] = this.#asked.subarray(3 * point, 3 * point + 3);
        this.#anchorXy.set([x, y], 2 * point);
      }
    }
    this.#anchors = anchors;
    this.#anchorTimes = times;
  }
}

/**
 * The last frame from `offset` on in which a point is visible; else the one of most confidence.
 * @param {Answers} recent
 * @param {number} point
 * @param {number} offset
 * @returns {{ step: number, found: boolean }} `step` counts from `offset`
 */
function lastSeen(recent, point, offset) {
  let best = offset;
  for (let step = recent.frames - 1; step >= offset; step--) {
    if (recent.visible(point, step)) return { step: step - offset, found: true };
  }
  const row = point * recent.frames;
  for (let step = offset; step < recent.frames; step++) {
    if (recent.confidence[row + step] > recent.confidence[row + best]) best = step;
  }
  return { step: best - offset, found: false };
}

/**
 * The time that shows most of the waiting points, the later of equals; NEVER where none does.
 * @param {Map<number, Set<number>>} shows
 * @param {Set<number>} waiting
 */
function mostServed(shows, waiting) {
  let [best, most] = [NEVER, 0];
  for (const [time, points] of shows) {
    const served = [...points].filter((point) => waiting.has(point)).length;
    if (served > most || (served === most && served > 0 && time > best)) {
      [best, most] = [time, served];
    }
  }
  return best;
}
