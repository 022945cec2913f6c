/**
 * The page's words: `t(key, values)` in the reader's language. The two catalogues, locales/en.json and locales/zh.json,
 * have the same keys. Language: the reader's choice on this browser, else the user's, else the browser's.
 */

import { signal } from '@preact/signals';
import { preferences, prefer } from './preferences.js';

/** @typedef {'en'|'zh'} Language */

const TAGS = { en: 'en-GB', zh: 'zh-CN' };

/** @type {import('@preact/signals').Signal<{language: Language, words: Record<string, string>}>} */
const catalogue = signal({ language: 'en', words: {} });

/** Keys that were asked for and do not exist: always empty, which a test checks. @type {Set<string>} */
export const missing = new Set();

/** @returns {Language} */
export const language = () => catalogue.value.language;

/** The BCP 47 tag for Intl. */
export const tag = () => TAGS[catalogue.value.language];

/**
 * Loads the catalogue and shows the page in it. A switch by the reader is `chosen` and remembered.
 * @param {Language} wanted
 */
export async function useLanguage(wanted, { chosen = false } = {}) {
  const answer = await fetch(`/static/locales/${wanted}.json`);
  const words = await answer.json();
  catalogue.value = { language: wanted, words };
  document.documentElement.lang = TAGS[wanted];
  if (chosen) prefer({ language: wanted });
}

/**
 * @param {string|null|undefined} ofUser the user's language as the server knows it
 * @returns {Language}
 */
export function preferredLanguage(ofUser) {
  const first = preferences.value.language ?? ofUser ?? navigator.language ?? 'en';
  return first.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

/** @param {string} key */
function template(key) {
  const words = catalogue.value.words;
  if (Object.hasOwn(words, key)) return words[key];
  missing.add(key);
  return key;
}

/**
 * The text of `key` with `{name}` places filled. With `values.count` the plural form `key.one` or `key.other` is taken.
 * @param {string} key
 * @param {Record<string, string|number>} [values]
 * @returns {string}
 */
export function t(key, values = {}) {
  return parts(key, values).join('');
}

/**
 * As `t`, but as a list in which values may be elements: for a word in bold inside a sentence.
 * @param {string} key
 * @param {Record<string, any>} [values]
 * @returns {any[]}
 */
export function parts(key, values = {}) {
  const form = 'count' in values ? `${key}.${new Intl.PluralRules(tag()).select(Number(values.count))}` : key;
  return template(form)
    .split(/\{(\w+)\}/)
    .map((piece, index) => (index % 2 === 0 ? piece : (values[piece] ?? '')));
}

/**
 * The text of `key` where the catalogue has it, else `otherwise`: for codes that people may add to.
 * @param {string} key
 * @param {string} otherwise
 */
export function tOr(key, otherwise) {
  return Object.hasOwn(catalogue.value.words, key) ? catalogue.value.words[key] : otherwise;
}
