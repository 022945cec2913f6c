/**
 * What the reader chose on this browser: language, theme, sound. Kept in localStorage; holds nothing about customers.
 */

import { signal } from '@preact/signals';

const KEY = 'cti.preferences';

/** @typedef {{language?: 'en'|'zh', theme?: 'light'|'dark', sound?: boolean}} Preferences */

/** @returns {Preferences} */
function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    return kept !== null && typeof kept === 'object' ? kept : {};
  } catch {
    return {};
  }
}

/** @type {import('@preact/signals').Signal<Preferences>} */
export const preferences = signal(read());

/** @param {Preferences} changes */
export function prefer(changes) {
  preferences.value = { ...preferences.value, ...changes };
  try {
    localStorage.setItem(KEY, JSON.stringify(preferences.value));
  } catch {
    // storage is blocked: the choice holds until the page is closed
  }
}

/** Switches between light and dark, starting from what is shown now. */
export function switchTheme() {
  const dark = preferences.value.theme
    ? preferences.value.theme === 'dark'
    : matchMedia('(prefers-color-scheme: dark)').matches;
  prefer({ theme: dark ? 'light' : 'dark' });
  document.documentElement.dataset.theme = dark ? 'light' : 'dark';
}
