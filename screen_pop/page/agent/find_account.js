/**
 * The search for an existing account, to put this call on: by what the caller says of a name, a number or a customer number.
 * Asked when the agent stops typing; only the newest answer counts. Arrows, Enter and Escape as in any list under a field.
 */

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { phone } from '../lib/format.js';
import { Icon } from '../lib/icons.js';
import { initials, shown } from '../lib/hostile.js';
import { t } from '../lib/locale.js';
import { request, wordsOf } from '../lib/rest.js';
import { Tier } from './tier.js';

const PAUSE_MS = 250;
const SHOWN = 8;
const HAN = /\p{Script=Han}/u;

/** @typedef {{of: string, items: any[], more: boolean, active: number, refused: string}} Found `of`: what was searched for */

/** @param {{onUse: (account: any) => Promise<void>, onClose: () => void}} props */
export function FindAccount({ onUse, onClose }) {
  const [text, setText] = useState('');
  const [found, setFound] = useState(/** @type {Found|null} */ (null));
  const asked = useRef(0);
  const field = useRef(/** @type {HTMLInputElement|null} */ (null));
  const wanted = text.trim();
  const isEnough = wanted.length >= 2 || HAN.test(wanted);

  useLayoutEffect(() => field.current?.focus(), []); // at once: the next key is typed already
  useEffect(() => {
    const number = ++asked.current;
    if (!isEnough) return setFound(null);
    const timer = setTimeout(async () => {
      const answer = await search(wanted);
      if (number === asked.current) setFound(answer);
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [wanted]);

  const items = found?.items ?? [];
  const move = (/** @type {number} */ step) => found && items.length && setFound({ ...found, active: (found.active + step + items.length) % items.length });
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.isComposing || event.keyCode === 229) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) move(step);
    else if (event.key === 'Escape') onClose();
    else if (event.key === 'Enter') {
      if (found?.of === wanted && items.length) onUse(items[found.active]); // not one of those before the last letters
    }
    else return;
    event.preventDefault();
  };

  return html`<div class="find-account">
    <label for="find-account">${t('find.label')}</label>
    <div class="find-field">
      <input id="find-account" ref=${field} role="combobox" aria-expanded=${items.length > 0} aria-controls="found-accounts" aria-autocomplete="list"
        aria-activedescendant=${items.length ? `found-${found.active}` : undefined} autocomplete="off" maxlength="100" value=${text}
        onInput=${(/** @type {any} */ event) => setText(event.target.value)} onKeyDown=${onKeyDown} />
      <button type="button" class="button small" onClick=${onClose}>${t('action.cancel')}</button>
    </div>
    ${items.length > 0 && html`<ul id="found-accounts" class="found" role="listbox" aria-label=${t('find.label')}>
      ${items.map((account, place) => html`<li key=${account.account_id} id=${`found-${place}`} role="option" aria-selected=${place === found.active}
        onClick=${() => onUse(account)}>
        <span class="face small" aria-hidden="true">${initials(shown(account.name, 60))}</span>
        <span class="candidate-name"><bdi>${shown(account.name, 60)}</bdi> <${Tier} tier=${account.tier} />${account.provisional && html` <span class="badge">${t('account.provisional')}</span>`}</span>
        <span class="quiet">${differences(account).map((one, index) => html`${index > 0 && ' · '}<bdi>${one}</bdi>`)}</span>
      </li>`)}
    </ul>`}
    <p class="quiet" role="status">${found && !found.refused && said(found)}</p>
    ${found?.refused && html`<p class="refused" role="alert"><${Icon} name="warning" size=${16} />${found.refused}</p>`}
  </div>`;
}

/** @param {string} wanted @returns {Promise<Found>} */
async function search(wanted) {
  try {
    const { items, next } = await request('GET', `/accounts?${new URLSearchParams({ q: wanted, limit: String(SHOWN) })}`);
    return { of: wanted, items, more: next !== null && items.length === SHOWN, active: 0, refused: '' };
  } catch (error) {
    return { of: wanted, items: [], more: false, active: 0, refused: wordsOf(error) };
  }
}

/** @param {Found} found */
function said({ items, more }) {
  if (!items.length) return t('find.none');
  return more ? t('find.more', { shown: items.length }) : t('find.count', { count: items.length });
}

/** What tells two customers of one name apart: where they are, their own number, how they are reached. @param {any} account */
function differences(account) {
  const of = (/** @type {string} */ kind) => account.contact_points.filter((/** @type {any} */ point) => point.kind === kind);
  return [
    shown(account.company, 40),
    ...of('customer_number').slice(0, 1).map((/** @type {any} */ { as_given: number }) => t('find.customer_number', { number: shown(number, 24) })),
    ...of('phone').slice(0, 2).map((/** @type {any} */ { value }) => phone(value)),
    ...of('email').slice(0, 1).map((/** @type {any} */ { as_given: address }) => shown(address, 40)),
  ].filter(Boolean);
}
