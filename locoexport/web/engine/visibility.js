// When a point is seen, from the model's two logits: locoexport/contract/visibility.py in JavaScript.

/**
 * (1 - σ(occlusion))·(1 - σ(expectedDist)), rounded to float32.
 * @param {number} occlusion logit
 * @param {number} expectedDist logit
 * @returns {number} 0..1
 */
export function confidenceOf(occlusion, expectedDist) {
  return Math.fround(oneMinusSigmoid(occlusion) * oneMinusSigmoid(expectedDist));
}

/**
 * Where one minus the confidence is at most 0.5, in float32; NaN is invisible.
 * @param {number} confidence
 * @returns {boolean}
 */
export function isVisible(confidence) {
  return Math.fround(1 - confidence) <= 0.5;
}

/** @param {number} logit */
function oneMinusSigmoid(logit) {
  // No exponential of a positive number.
  const small = Math.exp(-Math.abs(logit));
  return (logit > 0 ? small : 1) / (1 + small);
}
