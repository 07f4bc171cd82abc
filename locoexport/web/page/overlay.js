// Tracks drawn over a frame, with the look of the Python runtime's overlay.

import { isVisible } from "../engine/visibility.js";

/** @typedef {import("../engine/preprocessing.js").Size} Size */
/** @typedef {import("../engine/queries.js").QueryPoint} QueryPoint */
/** @typedef {import("../engine/tracks.js").Tracks} Tracks */
/** @typedef {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} Context */

export const TRAIL_FRAMES = 16;

const OUTLINE = "rgb(0 0 0 / 0.6)";
const TRAIL_ALPHA = 0.9;

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
 * Trails and marks of all points of a frame, in pixels of the clip.
 * @param {Context} context scaled to the clip's pixels
 * @param {Tracks} tracks
 * @param {number} frame
 * @param {Size} frameHw
 * @param {number} trailFrames 0 draws none
 */
export function drawTracks(context, tracks, frame, frameHw, trailFrames) {
  const pen = penFor(frameHw);
  context.lineCap = "round";
  for (let point = 0; point < tracks.points; point++) {
    const [red, green, blue] = colourOf(tracks, point, frameHw);
    for (let age = trailFrames - 1; age >= 0; age--) {
      const [from, to] = [frame - age - 1, frame - age];
      if (from < 0 || !seen(tracks, point, from) || !seen(tracks, point, to)) continue;
      const alpha = TRAIL_ALPHA * (1 - age / trailFrames);
      context.strokeStyle = `rgb(${red} ${green} ${blue} / ${alpha})`;
      context.lineWidth = pen.trail;
      context.beginPath();
      context.moveTo(...positionOf(tracks, point, from));
      context.lineTo(...positionOf(tracks, point, to));
      context.stroke();
    }
  }
  for (let point = 0; point < tracks.points; point++) {
    const [x, y] = positionOf(tracks, point, frame);
    if (!Number.isFinite(x) || !Number.isFinite(y)) continue;
    drawMark(context, x, y, colourOf(tracks, point, frameHw), pen, seen(tracks, point, frame));
  }
}

/**
 * Points that were asked for and not tracked yet: full on their own frame, faint on others.
 * @param {Context} context scaled to the clip's pixels
 * @param {QueryPoint[]} points
 * @param {number} frame
 * @param {Size} frameHw
 */
export function drawQueries(context, points, frame, frameHw) {
  const pen = penFor(frameHw);
  for (const { t, y, x } of points) {
    context.globalAlpha = t === frame ? 1 : 0.3;
    drawMark(context, x, y, queryColour(y, x, frameHw), pen, true);
  }
  context.globalAlpha = 1;
}

/**
 * A dot, or a ring that the clip shows through, in a dark outline.
 * @param {Context} context
 * @param {number} x
 * @param {number} y
 * @param {readonly [number, number, number]} colour
 * @param {ReturnType<typeof penFor>} pen
 * @param {boolean} visible
 */
function drawMark(context, x, y, [red, green, blue], pen, visible) {
  const outer = visible ? pen.dot : pen.ringOuter;
  const inner = visible ? 0 : pen.ringInner;
  disk(context, x, y, outer + pen.outline, inner, OUTLINE);
  disk(context, x, y, outer, inner, `rgb(${red} ${green} ${blue})`);
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

/** @param {Tracks} tracks @param {number} point @param {Size} frameHw */
function colourOf(tracks, point, frameHw) {
  return queryColour(tracks.queryPoints[3 * point + 1], tracks.queryPoints[3 * point + 2], frameHw);
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
