// Query points: what the user asked for, and taking it back.

/** @typedef {{ t: number, y: number, x: number }} QueryPoint frame index; pixels of the clip */

/**
 * The centres of rows × columns equal cells of a box, row by row.
 * @param {number} rows
 * @param {number} columns
 * @param {{ top: number, left: number, height: number, width: number }} box in pixels
 * @param {number} t frame index
 * @returns {QueryPoint[]}
 */
export function gridQueries(rows, columns, box, t) {
  const points = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const y = Math.fround(box.top + ((row + 0.5) / rows) * box.height);
      const x = Math.fround(box.left + ((column + 0.5) / columns) * box.width);
      points.push({ t, y, x });
    }
  }
  return points;
}

/** The points of a clip, in the order in which they were added; each addition can be undone. */
export class QuerySet {
  /** @type {QueryPoint[][]} */
  #additions = [];

  /** @param {QueryPoint[]} points at least one; they are undone together */
  add(points) {
    this.#additions.push(points);
  }

  /** @returns {QueryPoint[]} what was taken back; none where nothing was left */
  undo() {
    return this.#additions.pop() ?? [];
  }

  /**
   * Take one point away; the addition that it came with keeps the others.
   * @param {QueryPoint} point the very object that was added
   */
  remove(point) {
    this.#additions = this.#additions
      .map((points) => points.filter((each) => each !== point))
      .filter((points) => points.length > 0);
  }

  clear() {
    this.#additions = [];
  }

  /** @returns {QueryPoint[]} */
  get points() {
    return this.#additions.flat();
  }

  /** @returns {Float32Array} (points, 3) as (t, y, x) */
  toArray() {
    return Float32Array.from(this.points.flatMap(({ t, y, x }) => [t, y, x]));
  }
}
