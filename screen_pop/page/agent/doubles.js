/**
 * Other records that may be this customer: looked for when asked, proposed with the reasons, put into the shown account by a
 * person in two clicks, and parted again in one.
 */

import { useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { Icon } from '../lib/icons.js';
import { shown } from '../lib/hostile.js';
import { t } from '../lib/locale.js';
import { request, wordsOf } from '../lib/rest.js';
import { loadHistory } from './records.js';

/** @param {string} accountId */
const pathOf = (accountId) => `/accounts/${encodeURIComponent(accountId)}`;

/** @param {{card: import('./desk.js').Card, workplace: any}} props */
export function Doubles({ card, workplace }) {
  const { desk } = workplace;
  const { account, callId } = card;
  const [found, setFound] = useState(/** @type {any[]|null} */ (null));
  const [asked, setAsked] = useState('');
  const [merge, setMerge] = useState(/** @type {any} */ (null));
  const [refused, setRefused] = useState('');

  const trying = async (/** @type {() => Promise<void>} */ step) => {
    setRefused('');
    try {
      await step();
    } catch (error) {
      setRefused(wordsOf(error));
    }
  };
  const look = () => trying(async () => setFound((await request('GET', `${pathOf(account.account_id)}/duplicates`)).items));
  const refresh = async () => {
    desk.change(callId, { account: await request('GET', pathOf(account.account_id)), commitments: null });
    await loadHistory(desk, callId, account.account_id);
    await look();
  };
  const put = (/** @type {any} */ double) => trying(async () => {
    if (asked !== double.account_id) return setAsked(double.account_id);
    setMerge({ ...(await request('POST', `${pathOf(account.account_id)}/merge`, { from: double.account_id })), name: double.name });
    await refresh();
  });
  const part = () => trying(async () => {
    await request('POST', `/merges/${encodeURIComponent(merge.merge_id)}/undo`);
    setMerge(null);
    await refresh();
  });

  return html`<details class="doubles" onToggle=${(/** @type {any} */ event) => event.target.open && found === null && look()}>
    <summary>${t('doubles.title')}</summary>
    ${found?.length === 0 && !merge && html`<p class="quiet">${t('doubles.none')}</p>`}
    <ul>${(found ?? []).map(({ account: double, reasons }) => html`<li key=${double.account_id}>
      <span class="who"><bdi>${shown(double.name, 60)}</bdi>
        <span class="quiet"><bdi>${[shown(double.company, 40), ...reasons.map((/** @type {string} */ one) => t(`doubles.${one}`))].filter(Boolean).join(' · ')}</bdi></span></span>
      <button type="button" class=${`button small ${asked === double.account_id ? 'primary' : ''}`} onClick=${() => put(double)}>
        ${t(asked === double.account_id ? 'doubles.confirm' : 'doubles.merge')}</button>
    </li>`)}</ul>
    ${merge && html`<p class="match" role="status"><${Icon} name="link" size=${16} /><span>${t('doubles.merged', { name: shown(merge.name, 60) })}</span>
      <button type="button" class="link-button" onClick=${part}>${t('doubles.undo')}</button></p>`}
    <p class="refused" role="alert">${refused}</p>
  </details>`;
}
