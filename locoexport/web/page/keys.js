// Keys that work anywhere on the page.

/**
 * What a key asks for, where it is not meant for the field or the button that has the focus.
 * @param {KeyboardEvent} event
 * @param {Record<string, () => unknown>} actions by key
 * @returns {(() => unknown) | undefined}
 */
export function actionOf(event, actions) {
  const fields = "input:not([type=range]), select, summary";
  const field = event.target instanceof Element && event.target.closest(fields);
  const onButton = event.target instanceof HTMLButtonElement && event.key === " ";
  if ((field && event.key !== "Escape") || onButton) return undefined;
  if (event.altKey || event.metaKey || (event.ctrlKey && event.key !== "z")) return undefined;
  return event.ctrlKey ? actions.u : actions[event.key];
}
