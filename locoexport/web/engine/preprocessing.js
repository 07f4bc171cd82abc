// Between a clip's pixels and the model's: locoexport/runtime/video/frames.py in JavaScript.
// Positions are raster coordinates, pixel centres at .5, so a change of size is a plain factor.

/** @typedef {readonly [height: number, width: number]} Size */

const NORMALISED = Float32Array.from({ length: 256 }, (_, level) =>
  Math.fround(Math.fround(Math.fround(level / 255) * 2) - 1),
);

/**
 * Normalise a frame and resize it to the model's resolution: bilinear, align_corners False, no
 * antialiasing, in float32.
 * @param {Uint8ClampedArray | Uint8Array} rgba (height, width, 4)
 * @param {Size} frameHw
 * @param {Size} modelHw
 * @param {Float32Array} out (height, width, 3) of the model in [-1, 1]; written to
 */
export function toModelInput(rgba, frameHw, modelHw, out) {
  const [height, width] = frameHw;
  const [outHeight, outWidth] = modelHw;
  const columns = taps(width, outWidth);
  const rows = taps(height, outHeight);
  /** @type {Map<number, Float32Array>} */
  const lines = new Map();
  for (let y = 0; y < outHeight; y++) {
    const above = rows.low[y];
    const below = rows.high[y];
    for (const old of lines.keys()) if (old < above) lines.delete(old);
    const top = resizedLine(lines, rgba, above, width, columns);
    const bottom = resizedLine(lines, rgba, below, width, columns);
    const weight = rows.weight[y];
    const rest = Math.fround(1 - weight);
    const start = y * outWidth * 3;
    for (let i = 0; i < outWidth * 3; i++) {
      out[start + i] = top[i] * rest + bottom[i] * weight;
    }
  }
}

/**
 * One row of the frame, normalised and resized across.
 * @param {Map<number, Float32Array>} lines rows made before
 * @param {Uint8ClampedArray | Uint8Array} rgba
 * @param {number} row
 * @param {number} width
 * @param {ReturnType<typeof taps>} columns
 */
function resizedLine(lines, rgba, row, width, columns) {
  const known = lines.get(row);
  if (known) return known;
  const { low, high, weight } = columns;
  const line = new Float32Array(low.length * 3);
  const start = row * width * 4;
  for (let x = 0; x < low.length; x++) {
    const left = start + low[x] * 4;
    const right = start + high[x] * 4;
    const share = weight[x];
    const rest = Math.fround(1 - share);
    for (let channel = 0; channel < 3; channel++) {
      line[x * 3 + channel] =
        NORMALISED[rgba[left + channel]] * rest + NORMALISED[rgba[right + channel]] * share;
    }
  }
  lines.set(row, line);
  return line;
}

/**
 * For every output pixel the two input pixels that it lies between, and how near the second.
 * @param {number} size of the input
 * @param {number} outSize
 */
function taps(size, outSize) {
  const low = new Int32Array(outSize);
  const high = new Int32Array(outSize);
  const weight = new Float32Array(outSize);
  for (let i = 0; i < outSize; i++) {
    const position = (i + 0.5) * (size / outSize) - 0.5;
    const floor = Math.floor(position);
    low[i] = Math.min(Math.max(floor, 0), size - 1);
    high[i] = Math.min(Math.max(floor + 1, 0), size - 1);
    weight[i] = position - floor;
  }
  return { low, high, weight };
}

/**
 * Query points (points, 3) as (t, y, x) in the clip's pixels → in the model's. Times stay.
 * @param {Float32Array} queriesTyx
 * @param {Size} frameHw
 * @param {Size} modelHw
 * @returns {Float32Array}
 */
export function scaleQueriesToModel(queriesTyx, frameHw, modelHw) {
  const factors = [1, modelHw[0] / frameHw[0], modelHw[1] / frameHw[1]];
  return queriesTyx.map((value, i) => value * factors[i % 3]);
}

/**
 * Tracks (..., 2) as (x, y) in the model's pixels → in the clip's.
 * @param {Float32Array} tracksXy
 * @param {Size} modelHw
 * @param {Size} frameHw
 * @returns {Float32Array}
 */
export function scaleTracksToVideo(tracksXy, modelHw, frameHw) {
  const factors = [frameHw[1] / modelHw[1], frameHw[0] / modelHw[0]];
  return tracksXy.map((value, i) => value * factors[i % 2]);
}
