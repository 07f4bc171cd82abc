// What went wrong, in words that a user can act on.

/** An error whose message is meant to be read by the user. */
export class DemoError extends Error {}

// What engines and ONNX Runtime say when memory is out.
const MEMORY = /bad_alloc|out of memory|\bOOM\b|allocat|memory access out of bounds/i;

/**
 * Any thrown value as a sentence or two.
 * @param {unknown} error
 * @returns {string}
 */
export function inWords(error) {
  if (error instanceof DemoError) return error.message;
  const text = error instanceof Error ? error.message : String(error);
  // WebAssembly throws a C++ exception as its address: with a model that loaded, a bad_alloc.
  if (error instanceof RangeError || typeof error === "number" || MEMORY.test(text)) {
    return (
      "The browser ran out of memory. Track fewer points, choose fewer frames at a time, " +
      `close other tabs, or use a smaller model. (${text})`
    );
  }
  return `Something failed that should not: ${text}. The browser's console has the details.`;
}
