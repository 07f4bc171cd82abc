// The list of points beside the picture: each with its colour, and a button that deletes it.

import { page } from "./elements.js";

/** @typedef {import("../engine/queries.js").QueryPoint} QueryPoint */
/** @typedef {import("./colours.js").PointColours} PointColours */

const CROSS = "M5 5 15 15M15 5 5 15";

export class PointList {
  #colours;
  #remove;
  #mark;
  /** @type {QueryPoint[]} */
  #listed = [];

  /**
   * @param {PointColours} colours
   * @param {(point: QueryPoint) => Promise<void>} remove
   * @param {(point: QueryPoint | null) => void} mark a point of the list is pointed at
   */
  constructor(colours, remove, mark) {
    this.#colours = colours;
    this.#remove = remove;
    this.#mark = mark;
  }

  /** @param {QueryPoint[]} points */
  show(points) {
    const count = points.length;
    page.pointsText.textContent =
      count === 0 ? "No points" : count === 1 ? "1 point" : `${count} points`;
    if (count === this.#listed.length && points.every((point, i) => point === this.#listed[i])) return;
    this.#listed = points;
    page.pointsList.replaceChildren(...points.map((point, index) => this.#item(point, index)));
  }

  /** @param {QueryPoint} point @param {number} index */
  #item(point, index) {
    const { t, y, x } = point;
    const place = `frame ${t}, x ${x.toFixed(1)}, y ${y.toFixed(1)}`;
    const item = document.createElement("li");
    const dot = document.createElement("span");
    dot.className = "dot";
    dot.style.setProperty("--colour", `rgb(${this.#colours.of(point).join(" ")})`);
    const text = document.createElement("span");
    text.textContent = place;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "delete";
    button.setAttribute("aria-label", `Delete point ${index + 1}, ${place}`);
    button.append(cross());
    button.addEventListener("click", () => void this.#delete(point, index));
    for (const event of ["pointerenter", "focusin"]) {
      item.addEventListener(event, () => this.#mark(point));
    }
    for (const event of ["pointerleave", "focusout"]) {
      item.addEventListener(event, () => this.#mark(null));
    }
    item.append(dot, text, button);
    return item;
  }

  /** The focus goes to the next one, so that several can be deleted. @param {QueryPoint} point @param {number} index */
  async #delete(point, index) {
    this.#mark(null);
    await this.#remove(point);
    const buttons = page.pointsList.querySelectorAll("button");
    (buttons[Math.min(index, buttons.length - 1)] ?? page.picture).focus();
  }
}

function cross() {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", CROSS);
  svg.append(path);
  return svg;
}
