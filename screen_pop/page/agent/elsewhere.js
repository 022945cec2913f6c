/**
 * What other systems say of the caller, beside the own account and never mixed into it: who it is there, some lines, and the
 * way there. Where nobody is known here, the one customer who is known there becomes an account by one click. It comes late, so
 * it stands beside the card: nothing that the agent is about to press may move.
 */

import { useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { Icon } from '../lib/icons.js';
import { shown } from '../lib/hostile.js';
import { parts, t } from '../lib/locale.js';
import { wordsOf } from '../lib/rest.js';
import { addExternal } from './identify.js';
import { Tier } from './tier.js';

const PHASES_TO_ADD_IN = ['ringing', 'talking', 'held', 'wrap_up'];

/** The one customer whom another system names where nobody is known here, and no agent said otherwise. @param {import('./desk.js').Card} card */
export function knownElsewhere({ account, candidates, chosen, pop }) {
  if (account || chosen || candidates.length) return null;
  return (pop?.external ?? []).find((/** @type {any} */ one) => one.name && isOnly(one, pop.external)) ?? null;
}

/** A sentence with the source's name in it. @param {string} what @param {any} one */
export const ofSource = (what, one) => parts(`elsewhere.${what}`, { source: html`<bdi>${shown(one.source, 40)}</bdi>` });

/** @param {any} one @param {any[]} all */
const isOnly = (one, all) => one.state === 'found' && all.filter(({ source }) => source === one.source).length === 1;

/** @param {{card: import('./desk.js').Card, workplace: any}} props */
export function Elsewhere({ card, workplace }) {
  const [refused, setRefused] = useState('');
  const all = card.pop?.external ?? [];
  if (!all.length) return null;
  const mayAdd = !card.account && PHASES_TO_ADD_IN.includes(card.phase);
  const add = async (/** @type {string} */ source) => {
    try {
      await addExternal(workplace, card, source);
      setRefused('');
    } catch (error) {
      setRefused(wordsOf(error));
    }
  };
  return html`<section class="elsewhere" aria-label=${t('elsewhere.title')} aria-live="polite">
    ${all.map((/** @type {any} */ one, /** @type {number} */ index) => (one.state === 'found'
      ? html`<${Record} key=${index} record=${one} onAdd=${mayAdd && isOnly(one, all) ? () => add(one.source) : null} />`
      : html`<p key=${index} class="match">${one.state === 'pending' ? html`<span class="dot" aria-hidden="true"></span>` : html`<${Icon} name=${one.state === 'not_found' ? 'user' : 'warning'} size=${16} />`}
          <span>${ofSource(one.state, one)}</span></p>`))}
    <p class="refused" role="alert">${refused}</p>
  </section>`;
}

/** @param {{record: any, onAdd: (() => void)|null}} props */
function Record({ record, onAdd }) {
  const facts = [
    record.id && [t('elsewhere.id'), shown(record.id, 100)],
    ...record.facts.map((/** @type {any} */ { label, value }) => [shown(label, 60), typeof value === 'boolean' ? t(value ? 'file.yes' : 'file.no') : shown(value, 200)]),
  ].filter(Boolean);
  return html`<article class="record">
    <header>
      <p class="record-from">${ofSource('from', record)}</p>
      ${/^https?:\/\//.test(record.link ?? '') && html`<a href=${record.link} target="_blank" rel="noopener noreferrer"><span>${ofSource('open', record)}</span><${Icon} name="open" size=${16} /></a>`}
    </header>
    ${(record.name || record.company) && html`<p class="record-name"><strong><bdi>${shown(record.name ?? record.company, 80)}</bdi></strong> <${Tier} tier=${record.tier} />
      ${record.name && record.company && html`<span class="quiet"> · <bdi>${shown(record.company, 80)}</bdi></span>`}</p>`}
    ${facts.length > 0 && html`<dl>${facts.map(([label, value], index) => html`<div key=${index}><dt><bdi>${label}</bdi></dt><dd><bdi>${value}</bdi></dd></div>`)}</dl>`}
    ${onAdd && html`<button type="button" class="button small" onClick=${onAdd}><${Icon} name="user" size=${16} />${t('elsewhere.add')}</button>`}
  </article>`;
}
