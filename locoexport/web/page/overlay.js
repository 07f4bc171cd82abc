// Tracks drawn over a frame: marks of the size that the Python runtime draws, or of a size that a
// screen needs, and trails that get thinner and fainter towards their end.

import { isVisible } from "../engine/visibility.js";

/** @typedef {import("../engine/preprocessing.js").Size} Size */
/** @typedef {import("../engine/queries.js").QueryPoint} QueryPoint */
/** @typedef {import("../engine/tracks.js").Tracks} Tracks */
/** @typedef {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} Context */

/** @typedef {readonly [number, number, number]} Rgb 0..255 */
/** @typedef {ReturnType<typeof penFor>} Pen sizes in pixels of the clip */
/**
 * @typedef {object} Look
 * @property {Pen} pen
 * @property {Rgb[]} colours by point
 * @property {number} trailFrames 0 draws no trails
 * @property {number} [marked] the point that is pointed at
 */

const OUTLINE = "rgb(0 0 0 / 0.55)";
const RIM = "rgb(255 255 255 / 0.95)";
const TRAIL_ALPHA = 0.95;
/** A dot on a screen is this part of the picture's width, within these limits in its pixels. */
const SCREEN_DOT = { part: 1 / 150, least: 4, most: 5.5 };
/** A trail is so many strokes that begin later and later; a frame of it has so many pieces. */
const FINE = { strokes: 8, pieces: 4 };
/** The same beyond so many points. */
const COARSE = { strokes: 3, pieces: 1 };
const MOST_FINE = 150;

/**
 * Sizes in pixels of the clip. A ring must stay open on the smallest clip.
 * @param {Size} frameHw
 */
export function penFor([height, width]) {
  const diagonal = Math.hypot(height, width);
  const dot = Math.max(2, diagonal / 240);
  const ringOuter = Math.max(3, 1.15 * dot);
  return {
    dot,
    ringOuter,
    ringInner: ringOuter - Math.max(1.2, 0.35 * dot),
    outline: Math.max(0.75, dot / 6),
    trail: Math.max(1, Math.round(diagonal / 600)),
  };
}

/**
 * A point's colour, from where it was asked for: hue runs with x from red to violet and a little
 * with y; lower rows are paler.
 * @param {number} y
 * @param {number} x
 * @param {Size} frameHw
 * @returns {readonly [number, number, number]} 0..255
 */
export function queryColour(y, x, [height, width]) {
  const [across, down] = [x / width, y / height];
  const hue = (0.65 * across + 0.2 * down) * 6;
  const saturation = 1 - 0.45 * down;
  // In the steps of Python's colorsys, so that both round the same way.
  const sector = Math.trunc(hue);
  const part = hue - sector;
  const low = 1 - saturation;
  const falling = 1 - saturation * part;
  const rising = 1 - saturation * (1 - part);
  const [red, green, blue] = [
    [1, rising, low],
    [falling, 1, low],
    [low, 1, rising],
    [low, falling, 1],
    [rising, low, 1],
    [1, low, falling],
  ][((sector % 6) + 6) % 6];
  return [Math.round(255 * red), Math.round(255 * green), Math.round(255 * blue)];
}

/**
 * The pen of a clip that is shown: no smaller than a screen needs, whatever the clip's size.
 * @param {Size} frameHw
 * @param {number} pixel of the screen, in pixels of the clip
 */
export function penForScreen(frameHw, pixel) {
  const pen = penFor(frameHw);
  const { part, least, most } = SCREEN_DOT;
  const dot = Math.min(most, Math.max(least, (part * frameHw[1]) / pixel));
  const scale = Math.max(1, (dot * pixel) / pen.dot);
  return {
    dot: pen.dot * scale,
    ringOuter: pen.ringOuter * scale,
    ringInner: pen.ringInner * scale,
    outline: pen.outline * scale,
    trail: Math.max(pen.trail, 0.85 * pen.dot * scale),
  };
}

/**
 * Trails and marks of all points of a frame, in pixels of the clip.
 * @param {Context} context scaled to the clip's pixels
 * @param {Tracks} tracks
 * @param {number} frame
 * @param {Look} look
 */
export function drawTracks(context, tracks, frame, look) {
  for (let point = 0; point < tracks.points; point++) drawTrail(context, tracks, point, frame, look);
  for (let point = 0; point < tracks.points; point++) {
    const [x, y] = positionOf(tracks, point, frame);
    if (!Number.isFinite(x) || !Number.isFinite(y)) continue;
    const pen = point === look.marked ? larger(look.pen) : look.pen;
    drawMark(context, x, y, look.colours[point], pen, seen(tracks, point, frame));
  }
}

/**
 * Points that were chosen and not tracked yet: full on their own frame, faint on others.
 * @param {Context} context scaled to the clip's pixels
 * @param {QueryPoint[]} points
 * @param {number} frame
 * @param {Look} look
 */
export function drawQueries(context, points, frame, look) {
  points.forEach(({ t, y, x }, index) => {
    context.globalAlpha = t === frame ? 1 : 0.35;
    const pen = index === look.marked ? larger(look.pen) : look.pen;
    drawMark(context, x, y, look.colours[index], pen, true);
  });
  context.globalAlpha = 1;
}

/**
 * Where a point was in the last frames, as far as it was seen: a curve through its positions. It is
 * stroked several times, each time from later on and wider, so that it gets thinner and fainter
 * towards its end without a seam.
 * @param {Context} context
 * @param {Tracks} tracks
 * @param {number} point
 * @param {number} frame
 * @param {Look} look
 */
function drawTrail(context, tracks, point, frame, { pen, colours, trailFrames }) {
  if (trailFrames === 0) return;
  const { strokes, pieces } = tracks.points > MOST_FINE ? COARSE : FINE;
  context.lineCap = "round";
  context.lineJoin = "round";
  /** @param {number} part of the trail, the newest @param {number} width @param {string} ink */
  const stroke = (part, width, ink) => {
    context.strokeStyle = ink;
    context.lineWidth = width;
    context.beginPath();
    const first = Math.max(1, frame - Math.ceil(part * trailFrames) + 1);
    for (let to = first; to <= frame; to++) addCurve(context, tracks, point, to, frame, pieces);
    context.stroke();
  };
  stroke(0.6, pen.trail + 2 * pen.outline, "rgb(0 0 0 / 0.25)");
  const alpha = 1 - (1 - TRAIL_ALPHA) ** (1 / strokes);
  const ink = `rgb(${colours[point].join(" ")} / ${alpha})`;
  for (let i = 0; i < strokes; i++) {
    stroke(1 - i / strokes, pen.trail * (0.3 + (0.7 * (i + 1)) / strokes), ink);
  }
}

/**
 * Add a frame's piece of the curve to the path, where the point was seen in it and before.
 * @param {Context} context
 * @param {Tracks} tracks
 * @param {number} point
 * @param {number} to
 * @param {number} newest
 * @param {number} pieces
 */
function addCurve(context, tracks, point, to, newest, pieces) {
  if (!seen(tracks, point, to - 1) || !seen(tracks, point, to)) return;
  const curve = curveBetween(tracks, point, to, newest);
  context.moveTo(...curve(0));
  for (let piece = 1; piece <= pieces; piece++) context.lineTo(...curve(piece / pieces));
}

/**
 * The way from the frame before `to`, in the manner of Catmull and Rom: through all positions, and
 * without corners. Frames after the one that is shown bend nothing.
 * @param {Tracks} tracks
 * @param {number} point
 * @param {number} to
 * @param {number} newest
 * @returns {(part: number) => [number, number]}
 */
function curveBetween(tracks, point, to, newest) {
  const [x1, y1] = positionOf(tracks, point, to - 1);
  const [x2, y2] = positionOf(tracks, point, to);
  const before = to >= 2 && seen(tracks, point, to - 2);
  const [x0, y0] = before ? positionOf(tracks, point, to - 2) : [x1, y1];
  const after = to < newest && seen(tracks, point, to + 1);
  const [x3, y3] = after ? positionOf(tracks, point, to + 1) : [x2, y2];
  /** @param {number[]} values @param {number} t */
  const spline = ([a, b, c, d], t) =>
    b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
  return (part) => [spline([x0, x1, x2, x3], part), spline([y0, y1, y2, y3], part)];
}

/** @param {Pen} pen @returns {Pen} of the point that is pointed at */
function larger(pen) {
  return { ...pen, dot: 1.6 * pen.dot, ringOuter: 1.6 * pen.ringOuter, ringInner: 1.3 * pen.ringInner };
}

/**
 * A dot with a light rim, or a ring that the clip shows through, in a dark outline.
 * @param {Context} context
 * @param {number} x
 * @param {number} y
 * @param {Rgb} colour
 * @param {Pen} pen
 * @param {boolean} visible
 */
function drawMark(context, x, y, [red, green, blue], pen, visible) {
  const outer = visible ? pen.dot : pen.ringOuter;
  const inner = visible ? 0 : pen.ringInner;
  disk(context, x, y, outer + pen.outline, inner, OUTLINE);
  if (visible) disk(context, x, y, outer, 0, RIM);
  const colour = `rgb(${red} ${green} ${blue})`;
  disk(context, x, y, visible ? outer - pen.outline : outer, inner, colour);
}

/**
 * @param {Context} context
 * @param {number} x
 * @param {number} y
 * @param {number} outer
 * @param {number} inner 0 fills it
 * @param {string} ink
 */
function disk(context, x, y, outer, inner, ink) {
  context.fillStyle = ink;
  context.beginPath();
  context.arc(x, y, outer, 0, 2 * Math.PI);
  if (inner > 0) {
    context.moveTo(x + inner, y);
    context.arc(x, y, inner, 0, 2 * Math.PI);
  }
  context.fill("evenodd");
}

/** @param {Tracks} tracks @param {number} point @param {number} frame */
function seen(tracks, point, frame) {
  return isVisible(tracks.confidence[point * tracks.frames + frame]);
}

/**
 * @param {Tracks} tracks
 * @param {number} point
 * @param {number} frame
 * @returns {[number, number]}
 */
function positionOf(tracks, point, frame) {
  const at = 2 * (point * tracks.frames + frame);
  return [tracks.xy[at], tracks.xy[at + 1]];
}
