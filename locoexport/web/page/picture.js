// Pointing at the picture: a click adds a point, a drag draws a box that is filled with a grid, a
// long press deletes the point below it, and the keyboard does all of it with a cross-hair.

/** @typedef {import("../engine/preprocessing.js").Size} Size */
/** @typedef {{ y: number, x: number }} Position in pixels of the clip */
/** @typedef {{ top: number, left: number, height: number, width: number }} Box */
/**
 * @typedef {object} Pointing
 * @property {(at: Position) => void} point a point was chosen
 * @property {(box: Box) => void} box a box was chosen
 * @property {(at: Position, reach: number) => (() => void) | null} held what deletes the point that
 *   is near by now, as it may have moved when it is known to be meant; null where there is none
 * @property {(at: Position | null, reach: number) => void} hovered the mouse is there, pressing
 *   nothing; null where it left
 * @property {(text: string) => void} say for screen readers
 * @property {() => void} redraw
 */

/** So far, in pixels of the screen, a pointer may move and it is a click still. */
const CLICK_SLACK = 5;
/** A pointer that is held so long takes a point away. */
const HOLD_MS = 500;
/** So far from the finger, in pixels of the screen, a point may be that it takes away. */
const REACH = 32;
/** The same of a mouse. */
const FINE_REACH = 14;
const STEPS = new Map([
  ["ArrowLeft", [0, -1]],
  ["ArrowRight", [0, 1]],
  ["ArrowUp", [-1, 0]],
  ["ArrowDown", [1, 0]],
]);

/** Listens to the canvas, and draws the box and the cross-hair. */
export class PicturePointer {
  #canvas;
  #pointing;
  /** @type {Size | null} */
  #frameHw = null;
  /** @type {Position | null} where the pointer or the box of the keyboard began */
  #corner = null;
  /** @type {Position} where it is now; of the keyboard, the cross-hair */
  #at = { y: 0, x: 0 };
  #dragging = false;
  #keyboard = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #holding;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Pointing} pointing
   */
  constructor(canvas, pointing) {
    this.#canvas = canvas;
    this.#pointing = pointing;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("pointercancel", () => this.#forget());
    canvas.addEventListener("pointerleave", () => this.#pointing.hovered(null, 0));
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => this.#forget());
  }

  /** @param {Size} frameHw of the clip that is shown now */
  reset(frameHw) {
    this.#frameHw = frameHw;
    this.#at = { y: frameHw[0] / 2, x: frameHw[1] / 2 };
    this.#corner = null;
    this.#keyboard = false;
  }

  /**
   * The box and the cross-hair, over the frame.
   * @param {CanvasRenderingContext2D} context scaled to the clip's pixels
   * @param {number} pixel of the screen, in the clip's pixels
   */
  draw(context, pixel) {
    const { y, x } = this.#at;
    if (this.#corner !== null) {
      const box = between(this.#corner, this.#at);
      outlined(context, pixel, () => context.rect(box.left, box.top, box.width, box.height));
    }
    if (!this.#keyboard) return;
    const arm = 12 * pixel;
    outlined(context, pixel, () => {
      context.moveTo(x - arm, y);
      context.lineTo(x + arm, y);
      context.moveTo(x, y - arm);
      context.lineTo(x, y + arm);
    });
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (this.#frameHw === null) return;
    if (event.button === 2) this.#delete(this.#position(event), FINE_REACH);
    if (event.button !== 0) return;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#keyboard = false;
    this.#dragging = true;
    this.#at = this.#position(event);
    this.#corner = this.#at;
    const from = this.#at;
    const remove = this.#pointing.held(from, REACH * this.#scale());
    if (remove === null) return; // a slow click is a click
    this.#holding = setTimeout(() => {
      if (!this.#dragging || this.#moved(from, this.#at)) return;
      this.#forget();
      remove();
    }, HOLD_MS);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (this.#frameHw === null) return;
    if (!this.#dragging) {
      if (event.pointerType !== "mouse") return;
      this.#pointing.hovered(this.#position(event), FINE_REACH * this.#scale());
      return;
    }
    this.#at = this.#position(event);
    this.#pointing.redraw();
  }

  /** @param {PointerEvent} event */
  #up(event) {
    if (!this.#dragging || this.#corner === null) return;
    const [from, to] = [this.#corner, this.#position(event)];
    this.#forget();
    if (this.#moved(from, to)) this.#pointing.box(between(from, to));
    else this.#pointing.point(from);
  }

  /** Whether a pointer that went so far is no click. @param {Position} from @param {Position} to */
  #moved(from, to) {
    return Math.hypot(to.y - from.y, to.x - from.x) / this.#scale() >= CLICK_SLACK;
  }

  /** @param {Position} at @param {number} reach in pixels of the screen */
  #delete(at, reach) {
    const remove = this.#pointing.held(at, reach * this.#scale());
    if (remove === null) this.#pointing.say("There is no point to remove.");
    else remove();
  }

  #forget() {
    clearTimeout(this.#holding);
    const had = this.#corner !== null || this.#keyboard;
    this.#dragging = false;
    this.#corner = null;
    this.#keyboard = false;
    if (had) this.#pointing.redraw();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (this.#frameHw === null || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = STEPS.get(event.key);
    if (step) this.#moveCross(step, event.shiftKey ? 10 : 1);
    else if (event.key === "Enter") this.#choose();
    else if (event.key === "b") this.#beginBox();
    else if (event.key === "Delete") this.#delete(this.#at, REACH);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {number[]} step @param {number} pixels */
  #moveCross([down, across], pixels) {
    const [height, width] = /** @type {Size} */ (this.#frameHw);
    this.#keyboard = true;
    const y = Math.min(Math.max(this.#at.y + down * pixels, 0), height);
    const x = Math.min(Math.max(this.#at.x + across * pixels, 0), width);
    this.#at = { y, x };
    this.#pointing.say(`x ${x.toFixed(1)}, y ${y.toFixed(1)}`);
    this.#pointing.redraw();
  }

  #beginBox() {
    this.#keyboard = true;
    this.#corner = this.#at;
    this.#pointing.say("Box begun; move to its other corner and press Enter.");
    this.#pointing.redraw();
  }

  #choose() {
    this.#keyboard = true;
    const box = this.#corner === null ? null : between(this.#corner, this.#at);
    this.#corner = null;
    if (box !== null && box.width > 0 && box.height > 0) this.#pointing.box(box);
    else this.#pointing.point(this.#at);
  }

  /** @param {PointerEvent} event @returns {Position} */
  #position(event) {
    const [height, width] = /** @type {Size} */ (this.#frameHw);
    const place = this.#canvas.getBoundingClientRect();
    const y = ((event.clientY - place.top) / place.height) * height;
    const x = ((event.clientX - place.left) / place.width) * width;
    return { y: Math.min(Math.max(y, 0), height), x: Math.min(Math.max(x, 0), width) };
  }

  /** Pixels of the clip in one of the screen. */
  #scale() {
    const [, width] = /** @type {Size} */ (this.#frameHw);
    return width / this.#canvas.getBoundingClientRect().width;
  }
}

/** @param {Position} a @param {Position} b @returns {Box} */
function between(a, b) {
  const [top, left] = [Math.min(a.y, b.y), Math.min(a.x, b.x)];
  return { top, left, height: Math.abs(a.y - b.y), width: Math.abs(a.x - b.x) };
}

/**
 * A light line in a dark one: seen on every picture.
 * @param {CanvasRenderingContext2D} context
 * @param {number} pixel
 * @param {() => void} path
 */
function outlined(context, pixel, path) {
  for (const [ink, width] of /** @type {const} */ ([["rgb(0 0 0 / 0.7)", 4], ["white", 1.5]])) {
    context.beginPath();
    path();
    context.strokeStyle = ink;
    context.lineWidth = width * pixel;
    context.stroke();
  }
}
