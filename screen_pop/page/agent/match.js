/**
 * How we know who is calling: why this account, several to choose from in one click, nobody known yet, or no number shown; an
 * existing account can be found and put to the call.
 * What the agent chooses counts at once, is learnt for the number, and can be taken back.
 */

import { useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { now } from '../lib/clock.js';
import { callerNumber, day, when } from '../lib/format.js';
import { Icon } from '../lib/icons.js';
import { initials, shown } from '../lib/hostile.js';
import { t } from '../lib/locale.js';
import { wordsOf } from '../lib/rest.js';
import { FindAccount } from './find_account.js';
import { addProvisional, choose, createAccount, nameAccount, undoChoice } from './identify.js';
import { Tier } from './tier.js';

/** @param {{card: import('./desk.js').Card, workplace: any}} props */
export function Match({ card, workplace }) {
  const [refused, setRefused] = useState('');
  const { account, candidates, chosen, pop } = card;
  /** Does one thing to the call's account; a refusal is told here. @param {(place: any, card: any) => Promise<void>} change */
  const does = (change) => async () => {
    try {
      await change(workplace, card);
      setRefused('');
    } catch (error) {
      setRefused(wordsOf(error));
    }
  };
  const use = (/** @type {any} */ one) => does((place, of) => choose(place, of, one))();

  let shownMatch;
  if (account) shownMatch = html`<${Known} card=${card} workplace=${workplace} onDeny=${() => use(null)} />`;
  else if (candidates.length) shownMatch = html`<${Candidates} candidates=${candidates} onChoose=${use} />`;
  else if (pop?.lookup === 'pending') shownMatch = html`<p class="match"><span class="dot" aria-hidden="true"></span><span>${t('match.pending')}</span></p>`;
  const withheld = !callerNumber(card.call);
  const isNumber = numberOf(card.call) !== null;
  return html`<div class="identity">
    ${shownMatch}
    ${!account && !candidates.length && pop?.lookup !== 'pending' && html`<p class="match"><${Icon} name=${withheld ? 'hidden' : 'user'} size=${16} /><span>${t(withheld ? 'match.withheld' : 'match.unknown')}</span></p>`}
    ${!account && pop?.lookup !== 'pending' && html`<${NewAccount} card=${card} onUse=${use} onProvisional=${isNumber ? does(addProvisional) : null} />`}
    ${chosen && html`<p class="match"><span>${words(chosen, workplace)}</span>
      <button type="button" class="link-button" onClick=${does(undoChoice)}>${t('match.undo')}</button></p>`}
    <p class="refused" role="alert">${refused}</p>
  </div>`;
}

/** The number an account may be known by: not a forged one, nor what is no number. @param {any} call @returns {string|null} */
const numberOf = (call) => (!call.untrusted_caller && call.customer_number?.startsWith('+') ? call.customer_number : null);

/** What was chosen for this call, by whom. @param {{by: string, learnt: boolean}} chosen */
function words(chosen, { desk }) {
  const by = chosen.by === desk.extension ? t('match.chosen') : t('match.chosen_by', { by: shown(chosen.by, 40) });
  return chosen.learnt ? `${by} ${t('match.learnt')}` : by;
}

/** Why this account is shown; the agent may say that it is somebody else. */
function Known({ card, workplace, onDeny }) {
  const { account, candidates, chosen } = card;
  const candidate = candidates.find((/** @type {any} */ one) => one.account.account_id === account.account_id);
  const reason = candidate && !chosen ? t(`match.${candidate.reason}`, { number: shown(candidate.detail?.entered, 24) }) : '';
  return html`${!chosen && html`<p class="match">${reason && html`<${Icon} name="link" size=${16} /><span>${reason}</span>`}
      ${card.phase !== 'past' && html`<button type="button" class="link-button" onClick=${onDeny}>${t('match.other')}</button>`}</p>`}
    ${account.provisional && html`<${NameAccount} card=${card} workplace=${workplace} />`}`;
}

/** @param {{candidates: any[], onChoose: (account: any) => void}} props */
function Candidates({ candidates, onChoose }) {
  return html`<div class="candidates" role="group" aria-label=${t('match.choose')}>
    <p class="match"><${Icon} name="users" size=${16} /><span>${t('match.several', { count: candidates.length })} ${t('match.choose')}</span></p>
    <ul>
      ${candidates.map((one) => html`<li key=${one.account.account_id}>
        <button type="button" onClick=${() => onChoose(one.account)}>
          <span class="face small" aria-hidden="true">${initials(shown(one.account.name, 60))}</span>
          <span class="candidate-name"><bdi>${shown(one.account.name, 60)}</bdi> <${Tier} tier=${one.account.tier} /></span>
          <span class="quiet"><bdi>${[shown(one.account.company, 40), ...why(one)].filter(Boolean).join(' · ')}</bdi></span>
        </button>
      </li>`)}
    </ul>
  </div>`;
}

/** The reason of a candidate in a few words, with what stands behind it. @param {{reason: string, detail?: any}} candidate */
function why({ reason, detail = {} }) {
  const at = (/** @type {string|null|undefined} */ time) => (time ? when(time, now.value) : '');
  return [
    t(`match.short_${reason}`, {
      by: shown(detail.chosen_by, 40), when: at(reason === 'chosen_before' ? detail.chosen_at : detail.last_contact_at), range: shown(detail.range, 24),
      day: detail.last_order_on ? day(detail.last_order_on) : '', number: shown(detail.entered, 24),
    }),
    reason === 'own_mobile' ? '' : shown(detail.label, 24),
    detail.extension ? t('match.extension', { extension: shown(detail.extension, 8) }) : '',
    detail.last_contact_at && reason !== 'recent_contact' ? t('match.last_contact', { when: at(detail.last_contact_at) }) : '',
  ];
}

/**
 * An account for this call: an existing one, or a new one, by one click without a name or with one.
 * @param {{card: import('./desk.js').Card, onUse: (account: any) => Promise<void>, onProvisional: (() => void)|null}} props
 */
function NewAccount({ card, onUse, onProvisional }) {
  const [open, setOpen] = useState(/** @type {''|'find'|'create'} */ (''));
  const number = numberOf(card.call);
  const close = () => {
    setOpen('');
    setTimeout(() => document.getElementById('find-account-open')?.focus());
  };
  if (open === 'find') return html`<${FindAccount} onUse=${onUse} onClose=${close} />`;
  if (open === 'create') {
    return html`<${AccountForm} name=${shown(card.call.customer_name, 60)} save=${t('account.save')} onCancel=${() => setOpen('')}
      hint=${number ? t('account.with_number', { number: callerNumber(card.call) }) : ''}
      onSave=${async (/** @type {any} */ fields) => onUse(await createAccount({ ...fields, phone: number }))} />`;
  }
  return html`<p class="new-account-offer">
    <button type="button" class="button small" id="find-account-open" onClick=${() => setOpen('find')}><${Icon} name="search" size=${16} />${t('find.open')}</button>
    <button type="button" class="button small" onClick=${() => setOpen('create')}><${Icon} name="user" size=${16} />${t('account.create')}</button>
    ${onProvisional && html`<button type="button" class="button small" onClick=${onProvisional}>${t('account.make_provisional')}</button>`}
  </p>`;
}

/** The name of an account that was made by one click. */
function NameAccount({ card, workplace }) {
  const [open, setOpen] = useState(false);
  if (!open) return html`<button type="button" class="button small" onClick=${() => setOpen(true)}>${t('account.give_name')}</button>`;
  return html`<${AccountForm} name="" save=${t('account.save_name')} hint="" onCancel=${() => setOpen(false)}
    onSave=${(/** @type {any} */ fields) => nameAccount(workplace, card, fields)} />`;
}

/** @param {{name: string, save: string, hint: string, onSave: (fields: any) => Promise<void>, onCancel: () => void}} props */
function AccountForm({ name, save, hint, onSave, onCancel }) {
  const [refused, setRefused] = useState('');
  const [busy, setBusy] = useState(false);
  const onSubmit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(event.target));
    setBusy(true);
    try {
      await onSave({ name: String(given.name).trim(), company: String(given.company).trim() });
    } catch (error) {
      setRefused(wordsOf(error));
    } finally {
      setBusy(false);
    }
  };
  return html`<form class="new-account" onSubmit=${onSubmit}>
    <div><label for="account-name">${t('account.name')}</label>
      <input id="account-name" name="name" required maxlength="120" autocomplete="off" value=${name} ref=${focusOnce} /></div>
    <div><label for="account-company">${t('account.company')}</label>
      <input id="account-company" name="company" maxlength="120" autocomplete="off" /></div>
    ${hint && html`<p class="quiet">${hint}</p>`}
    <div class="form-actions">
      <button class="button primary small" disabled=${busy}>${save}</button>
      <button type="button" class="button small" onClick=${onCancel}>${t('action.cancel')}</button>
    </div>
    <p class="refused" role="alert">${refused}</p>
  </form>`;
}

/** The agent asked for the form, so the focus may go there. @param {HTMLElement|null} field */
function focusOnce(field) {
  if (field && !field.dataset.met) {
    field.dataset.met = 'yes';
    field.focus();
  }
}
