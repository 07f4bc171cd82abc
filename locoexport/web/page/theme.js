// Light or dark: what the system says, until the user says otherwise; that is remembered.

const KEY = "locoexport.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
const sheet = /** @type {HTMLLinkElement} */ (document.getElementById("dark"));

/** @returns {string | null} a page in a sandbox may not remember anything */
function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** @param {string} choice */
function remember(choice) {
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    // It holds until the page is closed.
  }
}

let choice = remembered();

function isDark() {
  return choice === null ? dark.matches : choice === "dark";
}

function apply() {
  sheet.media = isDark() ? "all" : "not all";
}

/** @param {HTMLButtonElement} button */
export function listenForTheme(button) {
  const show = () => {
    apply();
    button.setAttribute("aria-pressed", String(isDark()));
  };
  button.addEventListener("click", () => {
    choice = isDark() ? "light" : "dark";
    remember(choice);
    show();
  });
  dark.addEventListener("change", show);
  show();
}

apply();
