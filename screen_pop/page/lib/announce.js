/**
 * What a screen reader is told, through the two live regions that stand in the page from the start. Polite messages are
 * told at most every five seconds, the newest of them; assertive is for an incoming call only.
 */

const REST_MS = 5000;

/** @type {string|null} */
let waiting = null;
let nextAt = 0;
let timer = 0;

/** @param {string} message */
export function announce(message) {
  waiting = message;
  if (timer) return;
  timer = setTimeout(tell, Math.max(0, nextAt - Date.now()));
}

function tell() {
  timer = 0;
  nextAt = Date.now() + REST_MS;
  region('polite').textContent = waiting;
  waiting = null;
}

/** @param {string} message */
export function announceRing(message) {
  region('assertive').textContent = message;
}

/** @param {string} id @returns {HTMLElement} */
function region(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}
