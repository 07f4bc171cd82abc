// Which frame is shown: stepping, playing at a speed, and pictures kept for a while.

/** @typedef {import("../engine/clip.js").Clip} Clip */

const LONGEST_SIDE = 1280;
const KEPT_BYTES = 192 << 20;
/** So many frames are decoded at once where one is wanted that is not the next. */
const BLOCK = 12;

/** Pictures of a clip's frames, decoded where they are wanted and kept while there is room. */
class PictureCache {
  #clip;
  /** @type {Map<number, ImageBitmap>} least recently used first */
  #pictures = new Map();
  #bytes = 0;
  /** @type {AsyncGenerator<ImageBitmap> | null} */
  #reader = null;
  #position = -1;
  /** @type {Promise<unknown>} one decoder at a time */
  #queue = Promise.resolve();

  /** @param {Clip} clip */
  constructor(clip) {
    this.#clip = clip;
  }

  /**
   * @param {number} index
   * @returns {Promise<ImageBitmap | null>} null behind the last frame that can be decoded
   */
  get(index) {
    const turn = this.#queue.then(() => this.#find(index));
    this.#queue = turn.catch(() => null);
    return turn;
  }

  close() {
    void this.#queue.then(() => this.#reader?.return(undefined));
    for (const picture of this.#pictures.values()) picture.close();
    this.#pictures.clear();
  }

  /** @param {number} index */
  async #find(index) {
    const known = this.#pictures.get(index);
    if (known) {
      this.#pictures.delete(index);
      this.#pictures.set(index, known);
      return known;
    }
    if (this.#reader === null || index !== this.#position) {
      await this.#reader?.return(undefined);
      // Backwards, a block is decoded and kept: each step would decode from a key frame else.
      this.#position = this.#pictures.has(index + 1) ? Math.max(0, index - BLOCK + 1) : index;
      this.#reader = this.#clip.pictures(this.#position, Infinity, LONGEST_SIDE);
    }
    while (this.#position <= index) {
      const next = await this.#reader.next();
      if (next.done) {
        this.#reader = null;
        return null;
      }
      this.#keep(this.#position++, next.value);
    }
    return this.#pictures.get(index) ?? null;
  }

  /** @param {number} index @param {ImageBitmap} picture */
  #keep(index, picture) {
    this.#pictures.get(index)?.close();
    this.#pictures.delete(index);
    this.#pictures.set(index, picture);
    const size = picture.width * picture.height * 4;
    this.#bytes = this.#pictures.size * size;
    for (const [oldest, old] of this.#pictures) {
      if (this.#bytes <= KEPT_BYTES || oldest === index) break;
      old.close();
      this.#pictures.delete(oldest);
      this.#bytes -= size;
    }
  }
}

/** The clip on the screen. */
export class Player {
  #clip;
  #cache;
  #show;
  #changed;
  #failed;
  #playing = false;
  /** How often playing began: an older loop that wakes up late ends. */
  #turn = 0;
  #wanted = 0;
  /** Another clip is shown: a picture that comes late must not be. */
  #closed = false;
  frame = 0;
  /** Times as fast as the clip. */
  speed = 1;

  /**
   * @param {Clip} clip
   * @param {(picture: ImageBitmap, frame: number) => void} show draws a frame
   * @param {() => void} changed playing began or ended
   * @param {(error: unknown) => void} failed
   */
  constructor(clip, show, changed, failed) {
    this.#clip = clip;
    this.#cache = new PictureCache(clip);
    this.#show = show;
    this.#changed = changed;
    this.#failed = failed;
  }

  get playing() {
    return this.#playing;
  }

  /**
   * The picture of a frame.
   * @param {number} index
   */
  picture(index) {
    return this.#cache.get(index);
  }

  /**
   * Show a frame; the last one where there is none of that index.
   * @param {number} index
   */
  async seek(index) {
    this.#wanted = Math.min(Math.max(index, 0), this.#clip.frames - 1);
    const wanted = this.#wanted;
    try {
      const picture = await this.#cache.get(wanted);
      if (this.#closed || wanted !== this.#wanted) return; // another was asked for meanwhile
      if (picture === null) {
        await this.seek(this.#clip.frames - 1);
        return;
      }
      this.frame = wanted;
      this.#show(picture, wanted);
    } catch (error) {
      if (this.#closed) return;
      this.pause();
      this.#failed(error);
    }
  }

  /** @param {number} frames */
  async step(frames) {
    this.pause();
    await this.seek(this.frame + frames);
  }

  toggle() {
    if (this.#playing) this.pause();
    else void this.play();
  }

  pause() {
    if (!this.#playing) return;
    this.#playing = false;
    this.#changed();
  }

  /** Play on from this frame, from the first one on after the last, until `pause`. */
  async play() {
    if (this.#playing) return;
    this.#playing = true;
    this.#changed();
    const turn = ++this.#turn;
    while (this.#playing && turn === this.#turn) {
      const due = performance.now() + 1000 / (this.#clip.fps * this.speed);
      await this.seek((this.frame + 1) % this.#clip.frames);
      await until(due);
    }
  }

  /** Play from the first frame on. */
  async playAgain() {
    this.pause();
    await this.seek(0);
    await this.play();
  }

  close() {
    this.pause();
    this.#closed = true;
    this.#cache.close();
  }
}

/** @param {number} due in milliseconds of performance.now() */
export function until(due) {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
}
