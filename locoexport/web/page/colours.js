// Which colour a point has, on the picture and in the list.

import { queryColour } from "./overlay.js";

/** @typedef {import("../engine/queries.js").QueryPoint} QueryPoint */
/** @typedef {import("./overlay.js").Rgb} Rgb */

/** For points that were chosen one by one: bright on any film, and neighbours far apart. */
const FIRST = /** @type {const} */ ([
  [255, 82, 92],
  [70, 160, 255],
  [255, 205, 60],
  [60, 214, 130],
  [190, 120, 255],
  [255, 150, 60],
  [50, 214, 226],
  [255, 135, 205],
]);
/** Behind those the hue goes on by this angle: no two of many are near each other. */
const GOLDEN_ANGLE = 137.508;
const UNKNOWN = /** @type {Rgb} */ ([255, 255, 255]);

/** The colours that points were given when they were added; deleting others changes none. */
export class PointColours {
  /** @type {WeakMap<QueryPoint, Rgb>} */
  #known = new WeakMap();
  #alone = 0;

  /**
   * Points that come together run through the rainbow in their order; one that comes alone differs
   * from the last ones.
   * @param {QueryPoint[]} points
   */
  give(points) {
    points.forEach((point, index) => {
      const part = index / points.length;
      const colour = points.length > 1 ? queryColour(0.2, 1.2 * part, [1, 1]) : alone(this.#alone++);
      this.#known.set(point, colour);
    });
  }

  /** @param {QueryPoint} point @returns {Rgb} */
  of(point) {
    return this.#known.get(point) ?? UNKNOWN;
  }
}

/** @param {number} index @returns {Rgb} */
function alone(index) {
  if (index < FIRST.length) return FIRST[index];
  const hue = (((index * GOLDEN_ANGLE) % 360) / 360) * 6;
  /** @param {number} shift */
  const channel = (shift) => {
    const away = Math.abs(((hue + shift) % 6) - 3) - 1;
    return Math.round(70 + 185 * Math.min(1, Math.max(0, away)));
  };
  return [channel(0), channel(4), channel(2)];
}
