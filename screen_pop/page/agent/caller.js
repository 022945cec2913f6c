/**
 * Who is calling and how we know: one account, several to choose from, nobody known yet, or no number shown. What the
 * number says is a hint, never proof; the card says so in words.
 */

import { useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { Icon } from '../lib/icons.js';
import { callerName, callerNumber } from '../lib/format.js';
import { initials, shown, shownLines } from '../lib/hostile.js';
import { t } from '../lib/locale.js';
import { wordsOf } from '../lib/rest.js';
import { Doubles } from './doubles.js';
import { CustomerFile } from './file.js';
import { Promises } from './promises.js';
import { createAccount, loadHistory } from './records.js';

/** @param {{tier: string|null|undefined}} props */
export function Tier({ tier }) {
  return tier ? html`<span class=${`tier ${tier}`}>${t(`tier.${tier}`)}</span>` : null;
}

/** @param {{card: import('./desk.js').Card, workplace: any}} props */
export function Caller({ card, workplace }) {
  const { call, account } = card;
  const name = callerName(call, account);
  const number = callerNumber(call);
  const said = shown(call.customer_name, 60);
  const details = [
    name === number ? '' : number,
    account?.company && shown(account.company, 60),
    account && said && said !== name && t('caller.says', { name: said }),
  ].filter(Boolean);
  return html`<section class="caller" aria-label=${t('caller.title')}>
    <span class=${`face ${account?.tier ?? ''}`} aria-hidden="true">${account || said ? initials(name) : html`<${Icon} name=${number ? 'phone' : 'hidden'} size=${24} />`}</span>
    <div class="who">
      <h2><bdi>${name}</bdi> <${Tier} tier=${account?.tier} /></h2>
      <p class="who-details">${details.map((one, index) => html`${index > 0 && ' · '}<bdi>${one}</bdi>`)}</p>
    </div>
    ${call.untrusted_caller && html`<p class="callout bad"><${Icon} name="warning" size=${16} /><span>${t('caller.untrusted')}</span></p>`}
    <${Match} card=${card} workplace=${workplace} />
    ${account && card.phase !== 'ringing' && html`<${Doubles} key=${`${card.callId} ${account.account_id}`} card=${card} workplace=${workplace} />`}
    ${account && html`<${Promises} key=${account.account_id} card=${card} />`}
    ${account && html`<${CustomerFile} account=${account} />`}
    ${account?.note && html`<p class="callout note"><${Icon} name="note" size=${16} /><bdi>${shownLines(account.note, 400)}</bdi></p>`}
  </section>`;
}

/** Why this account, or what to do where there is none. */
function Match({ card, workplace }) {
  const { desk, drafts } = workplace;
  const { account, candidates, pop, callId } = card;
  const reason = account && candidates.find((one) => one.account.account_id === account.account_id)?.reason;
  const use = (/** @type {any} */ chosen) => {
    desk.change(callId, { account: chosen, history: [] });
    drafts.of(callId).change({ account_id: chosen.account_id });
    return loadHistory(desk, callId, chosen.account_id);
  };

  if (account) {
    const words = reason ? t(`match.${reason}`) : candidates.length > 1 || !pop ? '' : t('match.chosen');
    return html`<p class="match">${words && html`<${Icon} name="link" size=${16} /><span>${words}</span>`}
      ${candidates.length > 1 && html`<button type="button" class="link-button" onClick=${() => desk.change(callId, { account: null, history: [] })}>${t('match.other')}</button>`}</p>`;
  }
  if (candidates.length) return html`<${Candidates} candidates=${candidates} onChoose=${use} />`;
  if (pop?.lookup === 'pending') return html`<p class="match"><span class="dot" aria-hidden="true"></span><span>${t('match.pending')}</span></p>`;
  const withheld = !callerNumber(card.call);
  return html`<div class="stranger">
    <p class="match"><${Icon} name=${withheld ? 'hidden' : 'user'} size=${16} /><span>${t(withheld ? 'match.withheld' : 'match.unknown')}</span></p>
    <${NewAccount} call=${card.call} onCreated=${use} />
  </div>`;
}

/** @param {{candidates: {account: any, reason: string}[], onChoose: (account: any) => void}} props */
function Candidates({ candidates, onChoose }) {
  return html`<div class="candidates" role="group" aria-label=${t('match.choose')}>
    <p class="match"><${Icon} name="users" size=${16} /><span>${t('match.several', { count: candidates.length })} ${t('match.choose')}</span></p>
    <ul>
      ${candidates.map(({ account, reason }) => html`<li key=${account.account_id}>
        <button type="button" onClick=${() => onChoose(account)}>
          <span class="face small" aria-hidden="true">${initials(shown(account.name, 60))}</span>
          <span class="candidate-name"><bdi>${shown(account.name, 60)}</bdi> <${Tier} tier=${account.tier} /></span>
          <span class="quiet"><bdi>${[shown(account.company, 40), t(`match.short_${reason}`)].filter(Boolean).join(' · ')}</bdi></span>
        </button>
      </li>`)}
    </ul>
  </div>`;
}

/** @param {{call: any, onCreated: (account: any) => void}} props */
function NewAccount({ call, onCreated }) {
  const [open, setOpen] = useState(false);
  const [refused, setRefused] = useState('');
  const [busy, setBusy] = useState(false);
  const number = call.customer_number ?? call.presented_number;
  const onSubmit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const { name, company } = Object.fromEntries(new FormData(event.target));
    setBusy(true);
    try {
      await onCreated(await createAccount({ name: String(name).trim(), company: String(company).trim(), phone: number }));
    } catch (error) {
      setRefused(wordsOf(error));
    } finally {
      setBusy(false);
    }
  };
  if (!open) return html`<button type="button" class="button small" onClick=${() => setOpen(true)}><${Icon} name="user" size=${16} />${t('account.create')}</button>`;
  return html`<form class="new-account" onSubmit=${onSubmit}>
    <div><label for="account-name">${t('account.name')}</label>
      <input id="account-name" name="name" required maxlength="120" autocomplete="off" value=${shown(call.customer_name, 60)} ref=${focusOnce} /></div>
    <div><label for="account-company">${t('account.company')}</label>
      <input id="account-company" name="company" maxlength="120" autocomplete="off" /></div>
    ${number && html`<p class="quiet">${t('account.with_number', { number: callerNumber(call) })}</p>`}
    <div class="form-actions">
      <button class="button primary small" disabled=${busy}>${t('account.save')}</button>
      <button type="button" class="button small" onClick=${() => setOpen(false)}>${t('action.cancel')}</button>
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
