/**
 * Text that callers and colleagues wrote, made fit to be shown. Markup needs no care here (everything is a text node);
 * what is left are characters that hide, reorder or flood: they are shown by their code or cut.
 */

// C0 and C1 controls, soft hyphen, bidi marks and overrides, zero-width and invisible characters, separators, tags, lone surrogates
const INVISIBLE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}\p{Cs}]/gu;
const INVISIBLE_BUT_LINES = new RegExp(INVISIBLE.source.replace('\\u0000-\\u001f', '\\u0000-\\u0008\\u000b-\\u001f'), 'gu');
// More than four marks on one letter is no language's spelling: it climbs over the lines above
const PILED_MARKS = /(\p{M}{4})\p{M}+/gu;

const HAN = /^\p{Script=Han}/u;

/** @param {string} character */
const code = (character) => `[U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}]`;

/**
 * One line of somebody's text; at most `limit` characters, then an ellipsis.
 * @param {unknown} text
 */
export function shown(text, limit = 80) {
  return clean(text, limit, INVISIBLE);
}

/**
 * Somebody's text of several lines, as a note.
 * @param {unknown} text
 */
export function shownLines(text, limit = 4000) {
  return clean(text, limit, INVISIBLE_BUT_LINES);
}

/** @param {unknown} text @param {number} limit @param {RegExp} hidden */
function clean(text, limit, hidden) {
  if (text === null || text === undefined) return '';
  const cut = String(text).slice(0, limit * 2 + 2);
  const visible = [...cut.replace(hidden, code).replace(PILED_MARKS, '$1')];
  return visible.length > limit ? `${visible.slice(0, limit).join('').trimEnd()}…` : visible.join('');
}

/**
 * One or two letters for a round badge beside a name: initials in alphabets, the first character of a Chinese name.
 * @param {string} name already cleaned
 */
export function initials(name) {
  const all = name.split(/[\s·]+/u).filter((word) => /^\p{L}/u.test(word));
  if (all.length === 0) return '#';
  const first = [...all[0]][0];
  const words = all.filter((word) => HAN.test(word) === HAN.test(first));
  if (HAN.test(first) || words.length === 1) return first.toUpperCase();
  return (first + [...words[words.length - 1]][0]).toUpperCase();
}
