/**
 * The server's time on this page, and the one ticker behind every timer. Ticks are never counted: hidden tabs are
 * throttled and laptops sleep, so each tick reads the clock anew.
 */

import { signal } from '@preact/signals';

let skew = 0;

/** The server's present time in ms since 1970, renewed each second. */
export const now = signal(Date.now());

/** The server's time this instant, in ms. */
export const serverTime = () => Date.now() + skew;

/**
 * Takes the server's clock from a message just received.
 * @param {string} at ISO 8601
 */
export function setServerTime(at) {
  const told = Date.parse(at);
  if (Number.isNaN(told)) return;
  skew = told - Date.now();
  now.value = serverTime();
}

/** This browser's time as the server's. @param {number} browserTime ms */
export const asServerTime = (browserTime) => browserTime + skew;

/**
 * Seconds from `since` (ISO 8601 or ms) to `until`, never negative; to now unless told, renewed each second.
 * @param {string|number} since @param {number|null} [until] server ms: figures that stopped do not count on
 */
export function secondsSince(since, until = null) {
  const start = typeof since === 'number' ? since : Date.parse(since);
  return Number.isNaN(start) ? 0 : Math.max(0, ((until ?? now.value) - start) / 1000);
}

function tick() {
  now.value = serverTime();
  setTimeout(tick, 1000 - (now.value % 1000));
}

tick();
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) now.value = serverTime();
});
