// The elements of index.html by name, and what is written into them.

/**
 * @template {HTMLElement} Kind
 * @param {string} id
 * @param {new () => Kind} kind
 * @returns {Kind}
 */
function element(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`index.html has no ${kind.name} #${id}`);
  return found;
}

/** @param {string} id */
const button = (id) => element(id, HTMLButtonElement);
/** @param {string} id */
const input = (id) => element(id, HTMLInputElement);
/** @param {string} id */
const text = (id) => element(id, HTMLElement);

export const page = {
  drop: text("drop"),
  empty: text("empty"),
  hint: text("hint"),
  credit: text("credit"),
  picture: element("picture", HTMLCanvasElement),
  previous: button("previous"),
  play: button("play"),
  playText: text("play-text"),
  next: button("next"),
  frame: input("frame"),
  frameText: text("frame-text"),
  clipFile: input("clip-file"),
  builtIn: button("built-in"),
  modelFile: input("model-file"),
  camera: button("camera"),
  theme: button("theme"),
  clipText: text("clip-text"),
  modelText: text("model-text"),
  pointsSet: element("points-set", HTMLFieldSetElement),
  undo: button("undo"),
  clear: button("clear"),
  grid: button("grid"),
  gridText: text("grid-text"),
  side: input("side"),
  pointsText: text("points-text"),
  pointsList: element("points-list", HTMLOListElement),
  track: button("track"),
  cancel: button("cancel"),
  window: element("window", HTMLSelectElement),
  progress: element("progress", HTMLProgressElement),
  leftText: text("left-text"),
  resultText: text("result-text"),
  speed: element("speed", HTMLSelectElement),
  trail: input("trail"),
  saveSet: element("save-set", HTMLFieldSetElement),
  saveCsv: button("save-csv"),
  saveJson: button("save-json"),
  saveVideo: button("save-video"),
  status: text("status"),
  error: text("error"),
};

/**
 * A whole number that a field holds, within its own limits.
 * @param {HTMLInputElement} field
 */
export function wholeNumber(field) {
  const number = Math.round(field.valueAsNumber);
  const [low, high] = [Number(field.min), Number(field.max)];
  return Number.isFinite(number) ? Math.min(Math.max(number, low), high) : low;
}

/**
 * Hand a file to the user.
 * @param {Blob} file
 * @param {string} name
 */
export function saveFile(file, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** @param {(files: FileList | undefined) => void} dropped */
export function listenForDrops(dropped) {
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    page.drop.classList.add("over");
  });
  document.addEventListener("dragleave", () => page.drop.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    page.drop.classList.remove("over");
    dropped(event.dataTransfer?.files);
  });
}
