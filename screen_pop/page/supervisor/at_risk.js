/** Customers with signs of leaving, newest first. The board may hang on a wall: their names are fetched and shown only once asked for. */

import { useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { now } from '../lib/clock.js';
import { decimal, NOTHING, when } from '../lib/format.js';
import { shown } from '../lib/hostile.js';
import { t } from '../lib/locale.js';
import { signsOf } from '../lib/relation.js';
import { request, wordsOf } from '../lib/rest.js';

const SHOWN = 10;

export function AtRisk() {
  const [list, setList] = useState({ items: /** @type {any[]} */ ([]), next: /** @type {string|null} */ (null), asked: false, refused: '' });
  const load = async (/** @type {string|null} */ cursor) => {
    const query = new URLSearchParams({ limit: String(SHOWN), ...(cursor ? { cursor } : {}) });
    try {
      const page = await request('GET', `/churn-signs?${query}`);
      setList({ items: [...(cursor ? list.items : []), ...page.items], next: page.next, asked: true, refused: '' });
    } catch (error) {
      setList({ ...list, asked: true, refused: wordsOf(error) });
    }
  };
  return html`<details class="panel at-risk" onToggle=${(/** @type {any} */ event) => event.target.open && load(null)}>
    <summary><h2>${t('at_risk.title')}</h2></summary>
    ${list.items.length > 0 && html`<div class="scroll" tabindex="0" role="group" aria-label=${t('at_risk.title')}><table>
      <thead><tr><th scope="col">${t('at_risk.customer')}</th><th scope="col" class="number">${t('satisfaction.title')}</th><th scope="col">${t('at_risk.signs')}</th><th scope="col" class="number">${t('at_risk.noticed')}</th></tr></thead>
      <tbody>${list.items.map((account) => html`<${Row} key=${account.account_id} account=${account} />`)}</tbody>
    </table></div>`}
    ${list.asked && list.items.length === 0 && !list.refused && html`<p class="empty">${t('at_risk.nobody')}</p>`}
    ${list.next && html`<button type="button" class="button small" onClick=${() => load(list.next)}>${t('at_risk.more')}</button>`}
    <p class="refused" role="status">${list.refused}</p>
  </details>`;
}

/** @param {{account: any}} props */
function Row({ account }) {
  const { relation } = account;
  const noticed = relation.churn_signs.map((/** @type {any} */ one) => one.noticed_at).sort().at(-1);
  return html`<tr>
    <th scope="row"><bdi>${shown(account.name, 60)}</bdi> ${account.tier && html`<span class=${`tier ${account.tier}`}>${t(`tier.${account.tier}`)}</span>`}</th>
    <td class="number">${relation.satisfaction ? decimal(relation.satisfaction.average) : NOTHING}</td>
    <td><ul class="chips">${signsOf(relation).map(({ sign, words }) => html`<li key=${sign}><bdi>${words}</bdi></li>`)}</ul></td>
    <td class="number">${when(noticed, now.value)}</td>
  </tr>`;
}
