/**
 * Times, shares and telephone numbers as people read them, in the page's language. A value that is not known is '–', never 0.
 */

import { language, tag, t } from './locale.js';
import { shown } from './hostile.js';

export const NOTHING = '–';

/** Seconds as m:ss, from an hour on h:mm:ss. @param {number|null|undefined} seconds */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return NOTHING;
  const whole = Math.floor(seconds);
  const two = (/** @type {number} */ part) => String(part).padStart(2, '0');
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** A share 0..1 as a whole per cent. @param {number|null|undefined} share */
export function percent(share) {
  if (share === null || share === undefined) return NOTHING;
  return new Intl.NumberFormat(tag(), { style: 'percent', maximumFractionDigits: 0 }).format(share);
}

/** A mean, with one digit behind the point. @param {number} figure */
export const decimal = (figure) => new Intl.NumberFormat(tag(), { minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(figure);

/** The time of day, 24 h. @param {string|number} at */
export function timeOfDay(at, { seconds = false } = {}) {
  return new Intl.DateTimeFormat(tag(), {
    hour: '2-digit', minute: '2-digit', second: seconds ? '2-digit' : undefined, hourCycle: 'h23',
  }).format(new Date(at));
}

/** When something was, in a few words: today's time, 'yesterday 14:05', else the date. @param {string} at @param {number} nowMs */
export function when(at, nowMs) {
  const then = new Date(at);
  const days = Math.round((midnight(nowMs) - midnight(then.getTime())) / 86_400_000);
  if (days === 0) return timeOfDay(at);
  if (days === 1) return t('time.yesterday', { time: timeOfDay(at) });
  const sameYear = then.getFullYear() === new Date(nowMs).getFullYear();
  return new Intl.DateTimeFormat(tag(), {
    day: 'numeric', month: language() === 'zh' ? 'long' : 'short', year: sameYear ? undefined : 'numeric',
  }).format(then);
}

/** A date without a time. @param {string} on ISO 8601 date */
export function day(on) {
  return new Intl.DateTimeFormat(tag(), { dateStyle: 'medium', timeZone: 'UTC' }).format(new Date(on));
}

/** @param {number} at */
function midnight(at) {
  const day = new Date(at);
  return day.setHours(0, 0, 0, 0);
}

// ITU-T E.164 country codes: one digit (1, 7), these with two, all others with three
const TWO_DIGITS =
  /^(2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58])/;

/**
 * An E.164 number in groups, as '+44 20 7946 0018'; anything else as it came, cleaned.
 * @param {string|null|undefined} number
 */
export function phone(number) {
  if (!number) return '';
  const digits = /^\+(\d{7,15})$/.exec(number)?.[1];
  if (!digits) return shown(number, 40);
  const country = /^[17]/.test(digits) ? digits[0] : (TWO_DIGITS.exec(digits)?.[0] ?? digits.slice(0, 3));
  return `+${country} ${grouped(country, digits.slice(country.length)).join(' ')}`;
}

/** @param {string} country @param {string} rest */
function grouped(country, rest) {
  const sizes = { 1: [3, 3, 4], 44: /^2/.test(rest) ? [2, 4, 4] : /^(1\d1|11|[3589])/.test(rest) ? [3, 3, 4] : [4, 3, 3], 86: /^1/.test(rest) ? [3, 4, 4] : [] }[country] ?? [];
  if (sizes.reduce((sum, size) => sum + size, 0) === rest.length && sizes.length) {
    let at = 0;
    return sizes.map((size) => rest.slice(at, (at += size)));
  }
  const groups = [];
  for (let end = rest.length, size = 4; end > 0; end -= size, size = 3) groups.unshift(rest.slice(Math.max(0, end - size), end));
  return groups;
}

/** The name to show for a call: the account's, else the caller's own, else the number, else that it was withheld. */
export function callerName(call, account) {
  const own = shown(account?.name, 60);
  return (own.startsWith('+') ? phone(own) : own) || shown(call.customer_name, 60) || callerNumber(call) || t('caller.withheld');
}

/** The number of a call for reading; '' where it was withheld. */
export function callerNumber(call) {
  return phone(call.customer_number ?? call.presented_number);
}
