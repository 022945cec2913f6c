/**
 * What every signed-in page has: its start (session, language, role), the bar's tools, the banner that tells when the live
 * data stopped, and timers.
 */

import { useEffect } from 'preact/hooks';
import { html, render } from './html.js';
import { Icon } from './icons.js';
import { announce } from './announce.js';
import { asServerTime, now, secondsSince } from './clock.js';
import { duration, NOTHING, timeOfDay } from './format.js';
import { shown } from './hostile.js';
import { language, preferredLanguage, t, useLanguage } from './locale.js';
import { preferences, switchTheme } from './preferences.js';
import { request, toSignIn, wordsOf } from './rest.js';

const HOME = { agent: '/agent', supervisor: '/supervisor', admin: '/admin' };
const PILL_AFTER_MS = 2000;
const BANNER_AFTER_MS = 10_000;
const GONE_AFTER_MS = 60_000;

/** The page a user works on. @param {string} role */
export const homeOf = (role) => HOME[role] ?? '/login';

/**
 * Finds out who is signed in, loads the language and draws the page; somebody else's page leads to the own one.
 * @param {string} role
 * @param {(user: any) => any} page gives the page's element
 */
export async function startPage(role, page) {
  let user;
  try {
    ({ user } = await request('GET', '/session'));
  } catch (error) {
    await useLanguage(preferredLanguage(null));
    const root = document.getElementById('app');
    render(html`<main class="cannot-start"><h1>${t('start.failed')}</h1><p>${wordsOf(error)}</p>
      <button class="button primary" onClick=${() => location.reload()}>${t('link.retry')}</button></main>`, root);
    return;
  }
  if (user.role !== role) {
    location.replace(homeOf(user.role));
    return;
  }
  await useLanguage(preferredLanguage(user.language));
  render(page(user), document.getElementById('app'));
}

async function signOut() {
  sessionStorage.clear();
  try {
    await request('DELETE', '/session');
  } finally {
    toSignIn();
  }
}

/** Language, theme and sign-out, at the right of the bar. @param {{user?: any, children?: any}} props */
export function Tools({ user, children }) {
  const other = language() === 'en' ? 'zh' : 'en';
  const chosen = preferences.value.theme;
  const dark = chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  return html`<div class="tools">
    ${children}
    <button type="button" class="tool" lang=${other === 'zh' ? 'zh-CN' : 'en'} aria-label=${t(`language.to_${other}`)}
      onClick=${() => useLanguage(other, { chosen: true })}>${t(`language.short_${other}`)}</button>
    <button type="button" class="tool" aria-label=${t('theme.switch')} title=${t('theme.switch')} onClick=${switchTheme}>
      <${Icon} name=${dark ? 'sun' : 'moon'} /></button>
    ${user &&
    html`<button type="button" class="tool" aria-label=${t('session.sign_out')} title=${t('session.sign_out')} onClick=${signOut}>
      <${Icon} name="leave" /></button>`}
  </div>`;
}

/** The product's mark and the page's name. @param {{title: string}} props */
export function Brand({ title }) {
  return html`<div class="brand">
    <svg viewBox="0 0 24 24" width="26" height="26" aria-hidden="true"><rect width="24" height="24" rx="7" /><path
      d="M6.500 14.500a5.500 5.500 0 0 1 11 0 M9.500 14.500a2.500 2.500 0 0 1 5 0 M4 18h16" /></svg>
    <h1>${title}</h1>
  </div>`;
}

/** Time since `since`, counting up to `until` where told. @param {{since: string|number|null|undefined, until?: number|null}} props */
export function Timer({ since, until }) {
  return html`<span role="timer" class="timer">${since ? duration(secondsSince(since, until)) : NOTHING}</span>`;
}

/**
 * How far the figures on the page can be trusted: 'live', 'stale' (shown dimmed, with when they were true) or 'gone'.
 * @param {import('./link.js').LinkStatus} status
 * @param {{state: string, since: string}[]} pbxLinks
 * @returns {{state: 'live'|'stale'|'gone', asOf: number, until: number|null}} `asOf` on this browser's clock; `until` on the
 *   server's: the moment to which times are counted, null for now
 */
export function freshness(status, pbxLinks) {
  const browserNow = now.value && Date.now();
  let stopped = status.phase === 'live' ? Infinity : status.since;
  for (const pbx of pbxLinks) {
    if (pbx.state !== 'connected') stopped = Math.min(stopped, browserNow - secondsSince(pbx.since) * 1000);
  }
  if (stopped > browserNow - PILL_AFTER_MS) return { state: 'live', asOf: browserNow, until: null };
  return { state: browserNow - stopped > GONE_AFTER_MS ? 'gone' : 'stale', asOf: stopped, until: asServerTime(stopped) };
}

/**
 * Says that the live data stopped, and what that means; nothing for the first two seconds, a line after ten.
 * @param {{link: ReturnType<import('./link.js').openLink>, pbxLinks: {name: string, state: string, since: string, detail: string}[],
 *   gaps?: any[], calm: string}} props
 *   `calm` is the sentence that says what still works; `gaps` say since when a PBX was not seen, for who is told of them
 */
export function ConnectionBanner({ link, pbxLinks, gaps = [], calm }) {
  const status = link.status.value;
  const away = now.value && status.phase !== 'live' ? Date.now() - status.since : 0;
  const pbxAway = status.phase === 'live' ? pbxLinks.filter(({ state }) => state !== 'connected') : [];
  const told = status.phase === 'refused' || away > BANNER_AFTER_MS;
  const time = timeOfDay(status.since, { seconds: true });

  const unseen = pbxAway.map(({ name }) => gaps.find((gap) => gap.pbx === name && !gap.until)).filter(Boolean);
  const pbxWords = pbxAway.length === 0 ? '' : unseen.length > 0
    ? unseen.map((gap) => t('link.pbx_unseen', { name: shown(gap.pbx, 40), time: timeOfDay(gap.since, { seconds: true }) })).join(' ')
    : t('link.pbx_away', { name: pbxAway.map(({ name }) => name).join(', '), time: timeOfDay(pbxAway[0].since, { seconds: true }) });

  useEffect(() => {
    if (told) announce(`${t('link.stopped', { time })} ${calm}`);
  }, [told]);
  useEffect(() => {
    if (unseen.length > 0) announce(`${pbxWords} ${t('link.pbx_away_means')}`);
  }, [unseen.length > 0]);

  if (status.phase === 'refused') return html`<div class="banner bad"><${Icon} name="warning" /><p>${t('link.refused')}</p></div>`;
  if (told) {
    const seconds = Math.max(0, Math.ceil(((status.retryAt ?? Date.now()) - Date.now()) / 1000));
    return html`<div class="banner bad"><${Icon} name="warning" />
      <p><strong>${t('link.stopped', { time })}</strong> ${calm} ${t('link.retrying', { seconds })}</p>
      <button type="button" class="button small" onClick=${link.retryNow}>${t('link.retry')}</button></div>`;
  }
  if (away > PILL_AFTER_MS) {
    return html`<div class="banner warn pill"><${Icon} name="exchange" /><p>${t('link.reconnecting')}</p></div>`;
  }
  if (pbxAway.length) {
    return html`<div class="banner warn"><${Icon} name="warning" /><p><strong>${pbxWords}</strong> ${t('link.pbx_away_means')}</p></div>`;
  }
  return null;
}
