/** What was promised to this customer and is not kept yet; it can be kept by this call, and a new promise be made. */

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

/** @param {{card: import('./desk.js').Card}} props */
export function Promises({ card }) {
  const { account, phase } = card;
  const [open, setOpen] = useState(/** @type {any[]} */ ([]));
  const [making, setMaking] = useState(false);
  const [refused, setRefused] = useState('');
  const load = async () => {
    const query = new URLSearchParams({ account: account.account_id, open: 'true' });
    setOpen((await request('GET', `/cases?${query}`)).items);
  };
  const trying = async (/** @type {() => Promise<any>} */ step) => {
    setRefused('');
    try {
      await step();
    } catch (error) {
      setRefused(wordsOf(error));
    }
  };
  useEffect(() => void trying(load), [account.account_id]);
  const change = (/** @type {any} */ one, /** @type {object} */ changes) => trying(async () => {
    await request('PATCH', `/cases/${encodeURIComponent(one.case_id)}`, changes);
    await load();
  });
  const make = (/** @type {SubmitEvent} */ event) => trying(async () => {
    event.preventDefault();
    const { kind, subject, due } = Object.fromEntries(new FormData(event.target));
    await request('POST', '/cases', { account_id: account.account_id, kind, subject: String(subject).trim(), due_in_minutes: Number(due) });
    setMaking(false);
    await load();
  });

  return html`<section class="promises" aria-label=${t('promise.title')}>
    ${open.length > 0 && html`<ul>${open.map((one) => html`<${One} key=${one.case_id} one=${one} onChange=${change} />`)}</ul>`}
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

/** @param {{one: any, onChange: (one: any, changes: object) => void}} props */
function One({ one, onChange }) {
  const late = one.due_at && Date.parse(one.due_at) < serverTime();
  const next = one.kind === 'complaint' ? STEPS[STEPS.indexOf(one.step) + 1] : undefined;
  return html`<li class=${`callout ${late ? 'bad' : 'note'}`}>
    <${Icon} name=${late ? 'warning' : 'note'} size=${16} />
    <span><strong>${t(`case.${one.kind}`)}</strong> <bdi>${shown(one.subject, 200)}</bdi>
      <span class="quiet"> ${[one.due_at && t(late ? 'promise.was_due' : 'promise.is_due', { at: when(one.due_at, serverTime()) }), one.step && t(`step.${one.step}`), one.owner && shown(one.owner, 40)].filter(Boolean).join(' · ')}</span></span>
    <button type="button" class="button small" onClick=${() => onChange(one, next ? { step: next } : { open: false })}>
      ${next ? t(`step.do_${next}`) : t('promise.kept')}</button>
  </li>`;
}
