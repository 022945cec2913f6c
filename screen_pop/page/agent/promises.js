/**
 * What was promised to this customer and is not kept yet, the most urgent first, as the pop brought it. It is kept by this
 * call in one click, which can be taken back; a new promise can be made.
 */

import { useEffect, useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { Icon } from '../lib/icons.js';
import { shown } from '../lib/hostile.js';
import { serverTime } from '../lib/clock.js';
import { when } from '../lib/format.js';
import { t } from '../lib/locale.js';
import { request, wordsOf } from '../lib/rest.js';

const KINDS = ['call_back', 'follow_up', 'complaint', 'request', 'question'];
/** When a promise is due: working minutes. */
const TIMES = [['60', 'hour'], ['240', 'half_day'], ['480', 'day'], ['2400', 'week']];
const STEPS = ['recorded', 'apologised', 'verified', 'decided', 'carried_out', 'confirmed'];

/** @param {{card: import('./desk.js').Card, workplace: any}} props */
export function Promises({ card, workplace }) {
  const { desk } = workplace;
  const { account, callId, commitments, phase } = card;
  const [kept, setKept] = useState(/** @type {any[]} */ ([]));
  const [making, setMaking] = useState(false);
  const [refused, setRefused] = useState('');
  /** Where no pop brought them (a past call, a store that was away), and to see them all. */
  const load = async () => {
    const { items } = await request('GET', `/accounts/${encodeURIComponent(account.account_id)}/commitments`);
    desk.change(callId, { commitments: { items, more: 0 } });
  };
  const trying = async (/** @type {() => Promise<any>} */ step) => {
    setRefused('');
    try {
      await step();
    } catch (error) {
      setRefused(wordsOf(error));
    }
  };
  useEffect(() => {
    if (commitments === null) trying(load);
  }, [commitments === null]);
  const isOurs = [...card.call.talking, ...card.call.answered_by].includes(desk.extension);
  const change = (/** @type {any} */ one, /** @type {object} */ changes) => trying(async () => {
    const after = await request('PATCH', `/cases/${encodeURIComponent(one.case_id)}`, changes);
    const others = kept.filter(({ case_id: id }) => id !== one.case_id);
    setKept(after.closed_at ? [...others, after] : others);
    if (after.closed_at || !kept.includes(one)) desk.change(callId, { commitments: withCase(desk.cards.value.get(callId)?.commitments, after) });
    else await load();
  });
  const close = (/** @type {any} */ one) => change(one, { open: false, ...(isOurs ? { call_id: callId } : {}) });
  const make = (/** @type {SubmitEvent} */ event) => trying(async () => {
    event.preventDefault();
    const { kind, subject, due } = Object.fromEntries(new FormData(event.target));
    await request('POST', '/cases', { account_id: account.account_id, kind, subject: String(subject).trim(), due_in_minutes: Number(due) });
    setMaking(false);
    await load();
  });

  return html`<section class="promises" aria-label=${t('promise.title')}>
    ${commitments?.items.length > 0 && html`<ul>
      ${commitments.items.map((/** @type {any} */ one) => html`<${One} key=${one.case_id} one=${one} isOurs=${isOurs}
        onStep=${phase === 'ringing' ? null : (/** @type {string} */ step) => change(one, { step })} onClose=${() => close(one)} />`)}
    </ul>`}
    <div role="status">${kept.map((one) => html`<p key=${one.case_id} class="kept"><${Icon} name="check" size=${16} />
      <span>${t(one.closed_by_call ? 'promise.kept_by_call' : 'promise.closed', { what: shown(one.subject, 80) })}</span>
      <button type="button" class="link-button" onClick=${() => change(one, { open: true })}>${t('promise.undo')}</button></p>`)}</div>
    ${commitments?.more > 0 && html`<button type="button" class="link-button more" onClick=${() => trying(load)}>${t('promise.more', { count: commitments.more })}</button>`}
    ${phase !== 'ringing' && (making ? html`<form onSubmit=${make}>
      <div><label for="promise-kind">${t('promise.kind')}</label>
        <select id="promise-kind" name="kind">${KINDS.map((kind) => html`<option value=${kind}>${t(`case.${kind}`)}</option>`)}</select></div>
      <div><label for="promise-due">${t('promise.due')}</label>
        <select id="promise-due" name="due">${TIMES.map(([minutes, word]) => html`<option value=${minutes}>${t(`promise.in_${word}`)}</option>`)}</select></div>
      <div class="wide"><label for="promise-subject">${t('promise.subject')}</label><input id="promise-subject" name="subject" required maxlength="200" autocomplete="off" /></div>
      <div class="form-actions wide"><button class="button primary small">${t('promise.save')}</button>
        <button type="button" class="button small" onClick=${() => setMaking(false)}>${t('action.cancel')}</button></div>
    </form>` : html`<button type="button" class="link-button" onClick=${() => setMaking(true)}>${t('promise.make')}</button>`)}
    <p class="refused" role="alert">${refused}</p>
  </section>`;
}

/** The open cases with this one as it is now. @param {any} commitments @param {any} one */
function withCase(commitments, one) {
  const { items, more } = commitments ?? { items: [], more: 0 };
  return { items: items.flatMap((/** @type {any} */ other) => (other.case_id !== one.case_id ? [other] : one.closed_at ? [] : [one])), more };
}

/**
 * `onStep` null: the phone still rings, nothing can have been kept.
 * @param {{one: any, isOurs: boolean, onStep: ((step: string) => void)|null, onClose: () => void}} props
 */
function One({ one, isOurs, onStep, onClose }) {
  const late = one.due_at && Date.parse(one.due_at) < serverTime();
  const next = one.kind === 'complaint' ? STEPS[STEPS.indexOf(one.step) + 1] : undefined;
  return html`<li class=${`callout ${late ? 'bad' : 'note'}`}>
    <${Icon} name=${late ? 'warning' : 'note'} size=${16} />
    <span><strong>${t(`case.${one.kind}`)}</strong> <bdi>${shown(one.subject, 200)}</bdi>
      <span class="quiet"> ${[one.due_at && t(late ? 'promise.was_due' : 'promise.is_due', { at: when(one.due_at, serverTime()) }), one.step && t(`step.${one.step}`), one.owner && shown(one.owner, 40)].filter(Boolean).join(' · ')}</span></span>
    ${onStep && html`<button type="button" class="button small" onClick=${() => (next ? onStep(next) : onClose())}>
      ${next ? t(`step.do_${next}`) : t(isOurs ? 'promise.keep' : 'promise.close')}</button>`}
  </li>`;
}
