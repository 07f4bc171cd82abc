// What went wrong, in words that a user can act on.

/** An error whose message is meant to be read by the user. */
export class DemoError extends Error {}

const MEMORY = /bad_alloc|out of memory|memory allocation|allocation failed|Array buffer|memory access out of bounds|OrtGetNumberOrAllocate/i;

/**
 * Any thrown value as a sentence or two.
 * @param {unknown} error
 * @returns {string}
 */
export function inWords(error) {
  if (error instanceof DemoError) return error.message;
  const text = error instanceof Error ? error.message : String(error);
  if (error instanceof RangeError || MEMORY.test(text)) {
    return (
      "The browser ran out of memory. Track fewer points, choose fewer frames at a time, " +
      `close other tabs, or use a smaller model. (${text})`
    );
  }
  return `Something failed that should not: ${text}. The browser's console has the details.`;
}
