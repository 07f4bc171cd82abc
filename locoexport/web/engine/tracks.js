// Tracks in a clip's own pixels, and the files they are kept in: those of the Python runtime.

/**
 * Where every point is in every frame.
 * @typedef {object} Tracks
 * @property {number} points
 * @property {number} frames
 * @property {Float32Array} xy (points, frames, 2), pixel centres at .5
 * @property {Uint8Array} visible (points, frames), 0 or 1
 * @property {Float32Array} confidence (points, frames) in 0..1
 * @property {Float32Array} queryPoints (points, 3) as (t, y, x): what was asked for
 * @property {number} fps
 * @property {Float64Array} [timeS] (frames,), seconds after the clip's first frame; fps where absent
 */

export const TRACKS_SCHEMA = "locoexport.tracks/1";

/**
 * The tracks of some of the points.
 * @param {Tracks} tracks
 * @param {number[]} rows which points stay, by their index
 * @returns {Tracks | null} null where none does
 */
export function keepPoints(tracks, rows) {
  if (rows.length === 0) return null;
  /** @param {Float32Array} values @param {number} size of a point */
  const kept = (values, size) =>
    Float32Array.from(rows.flatMap((row) => [...values.subarray(row * size, (row + 1) * size)]));
  const { frames, visible } = tracks;
  return {
    ...tracks,
    points: rows.length,
    xy: kept(tracks.xy, 2 * frames),
    visible: Uint8Array.from(
      rows.flatMap((row) => [...visible.subarray(row * frames, (row + 1) * frames)]),
    ),
    confidence: kept(tracks.confidence, frames),
    queryPoints: kept(tracks.queryPoints, 3),
  };
}

/**
 * A row a frame and point: frame,object,point,x,y,visible (0 or 1),confidence,time_s; these points
 * belong to no object.
 * @param {Tracks} tracks
 * @returns {string}
 */
export function tracksToCsv(tracks) {
  const rows = ["frame,object,point,x,y,visible,confidence,time_s"];
  for (let frame = 0; frame < tracks.frames; frame++) {
    const seconds = tracks.timeS ? tracks.timeS[frame] : frame / tracks.fps;
    const time = numberText(Number(seconds.toFixed(6)));
    for (let point = 0; point < tracks.points; point++) {
      const at = point * tracks.frames + frame;
      const x = float32Text(tracks.xy[2 * at]);
      const y = float32Text(tracks.xy[2 * at + 1]);
      const confidence = float32Text(tracks.confidence[at]);
      rows.push(`${frame},,${point},${x},${y},${tracks.visible[at]},${confidence},${time}`);
    }
  }
  return rows.join("\n") + "\n";
}

/**
 * The document that `locoexport track --tracks FILE.json` writes.
 * @param {Tracks} tracks
 * @returns {string}
 */
export function tracksToJson(tracks) {
  const { points, frames } = tracks;
  const document = {
    schema: TRACKS_SCHEMA,
    fps: tracks.fps,
    ...(tracks.timeS && { time_s: Array.from(tracks.timeS) }),
    query_points_tyx: nested(shortest(tracks.queryPoints), [points, 3]),
    tracks_xy: nested(shortest(tracks.xy), [points, frames, 2]),
    visible: nested(Array.from(tracks.visible, Boolean), [points, frames]),
    confidence: nested(shortest(tracks.confidence), [points, frames]),
  };
  return JSON.stringify(document) + "\n";
}

/**
 * The fewest digits that read back as the same float32, written as numpy writes them.
 * @param {number} value a float32
 * @returns {string}
 */
export function float32Text(value) {
  return numberText(shortestFloat32(value));
}

/** @param {number} number written as Python writes it */
function numberText(number) {
  const size = Math.abs(number);
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    const [digits, exponent] = number.toExponential().split("e");
    const sign = exponent[0];
    return `${digits}e${sign}${exponent.slice(1).padStart(2, "0")}`;
  }
  const text = String(number);
  return text.includes(".") ? text : `${text}.0`;
}

/** @param {number} value */
function shortestFloat32(value) {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9));
}

/** @param {Float32Array} values */
function shortest(values) {
  return Array.from(values, shortestFloat32);
}

/**
 * @param {any[]} flat
 * @param {number[]} shape
 * @returns {any[]}
 */
function nested(flat, shape) {
  if (shape.length === 1) return flat;
  const [count, ...rest] = shape;
  const size = rest.reduce((a, b) => a * b, 1);
  return Array.from({ length: count }, (_, i) =>
    nested(flat.slice(i * size, (i + 1) * size), rest),
  );
}
