/** The calls that are on, and the record of one of them. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { secondsSince } from '../lib/clock.js';
import { callerName, callerNumber, duration, phone, timeOfDay } from '../lib/format.js';
import { shown } from '../lib/hostile.js';
import { Icon } from '../lib/icons.js';
import { t, tOr } from '../lib/locale.js';
import { ofCall, request, wordsOf } from '../lib/rest.js';
import { isMasked, Reveal } from '../lib/reveal.js';
import { Timer } from '../lib/shell.js';
import { honest } from './figure.js';

/** Seconds after which a call is no talk any more: the PBX may have lost its end. */
const STUCK = 4 * 3600;
const WAITING_FIRST = ['queued', 'offered', 'arrived', 'held', 'talking'];

export function CallTable({ board, fresh }) {
  const calls = [...board.calls.value].sort(
    (a, b) => WAITING_FIRST.indexOf(a.state) - WAITING_FIRST.indexOf(b.state) || a.started_at.localeCompare(b.started_at));
  return html`<section id="live-calls" class="panel" tabindex="-1" aria-labelledby="calls-title">
    <h2 id="calls-title">${t('board.calls')} <span class="count">${honest(fresh, calls.length)}</span></h2>
    <div class="scroll" tabindex="0" role="group" aria-labelledby="calls-title"><table class="live-calls">
      <thead><tr><th scope="col">${t('calls.who')}</th><th scope="col">${t('agents.state')}</th><th scope="col">${t('fact.queue')}</th><th scope="col">${t('calls.with')}</th><th scope="col" class="number">${t('calls.time')}</th></tr></thead>
      <tbody>
        ${calls.map((call) => html`<tr key=${call.call_id}>
          <th scope="row"><button type="button" class="link-button" onClick=${() => (board.opened.value = call.call_id)}><bdi>${callerName(call, null)}</bdi></button></th>
          <td><span class=${`state-word call-${call.state}`}><span class="dot" aria-hidden="true"></span>${t(`call_state.${call.state}`)}</span></td>
          <td>${shown(call.queue, 24)}</td>
          <td>${[...call.talking, ...call.ringing].map((one) => shown(one, 24)).join(', ')}</td>
          <td class="number">${fresh.state === 'gone' ? honest(fresh, '') : html`<${TimeOn} since=${call.started_at} until=${fresh.until} />`}</td>
        </tr>`)}
        ${calls.length === 0 && html`<tr><td colspan="5" class="empty">${t('board.no_calls')}</td></tr>`}
      </tbody>
    </table></div>
  </section>`;
}

function TimeOn({ since, until }) {
  const stuck = secondsSince(since, until) > STUCK;
  return html`<span class=${stuck ? 'too-long' : ''} title=${stuck ? t('calls.stuck') : undefined}>${stuck && html`<${Icon} name="warning" size=${14} />`}<${Timer}
    since=${since} until=${until} />${stuck && html`<span class="unseen"> ${t('calls.stuck')}</span>`}</span>`;
}

/** The record of a call, live while it is on, from the store afterwards. */
export function CallRecord({ callId, board }) {
  const dialog = useRef(null);
  const live = board.calls.value.find((/** @type {any} */ call) => call.call_id === callId);
  const [stored, setStored] = useState({ call: /** @type {any} */ (null), refused: '' });
  useEffect(() => {
    const opener = document.activeElement;
    dialog.current.showModal();
    return () => opener instanceof HTMLElement && opener.focus();
  }, []);
  useEffect(() => {
    if (live) return;
    request('GET', ofCall(callId)).then(
      (call) => setStored({ call, refused: '' }),
      (error) => setStored({ call: stored.call, refused: wordsOf(error) }),
    );
  }, [live === undefined]);
  const call = live ?? stored.call;
  return html`<dialog class="dialog record" ref=${dialog} onClose=${() => (board.opened.value = null)} aria-labelledby="record-title">
    <h2 id="record-title">${call ? html`<bdi>${callerName(call, null)}</bdi>` : t('record.title')}</h2>
    ${call ? html`<${Record} call=${call} />` : html`<p class="refused">${stored.refused}</p>`}
    <form method="dialog"><button class="button"><${Icon} name="cross" size=${16} />${t('action.close')}</button></form>
  </dialog>`;
}

/** The number, with a way to see it whole where it is masked. */
function Number({ call }) {
  const [whole, setWhole] = useState(call);
  const number = callerNumber(isMasked(callerNumber(call)) ? whole : call);
  return html`${number || t('caller.withheld')}${isMasked(number) && html` <${Reveal} path=${ofCall(call.call_id)} onRevealed=${setWhole} />`}`;
}

function Record({ call }) {
  const yes = ['held', 'parked', 'recorded', 'conference', 'estimated'].filter((flag) => call[flag]);
  const list = (/** @type {string[]} */ agents) => agents.map((one) => shown(one, 24)).join(', ');
  const rows = [
    ['fact.number', html`<${Number} call=${call} />`],
    ['agents.state', t(`call_state.${call.state}`)],
    ['record.direction', t(`direction.${call.direction}`)],
    ['fact.called', phone(call.did) || shown(call.did, 40)],
    ['agents.queues', call.queues.map((/** @type {string} */ queue) => shown(queue, 24)).join(', ')],
    ['record.started', timeOfDay(call.started_at, { seconds: true })],
    ['record.answered', call.answered_at && timeOfDay(call.answered_at, { seconds: true })],
    ['record.ended', call.ended_at && timeOfDay(call.ended_at, { seconds: true })],
    ['fact.waited', duration(call.wait_s)],
    ['record.talked', duration(call.talk_s)],
    ['record.offered_to', list(call.offered_to)],
    ['record.no_answer', list(call.rang_no_answer)],
    ['record.answered_by', list(call.answered_by)],
    ['record.transfers', call.transfers.map((/** @type {any} */ one) => `${t(`transfer.${one.type}`)} ${shown(one.from, 24)} → ${shown(one.to, 24)}`).join('; ')],
    ['record.outcome', tOr(`outcome.${call.outcome}`, shown(call.outcome, 30))],
    ['record.hung_up', call.hung_up_by && t(`hung_up.${call.hung_up_by}`)],
    ['record.flags', yes.map((flag) => t(`flag.${flag}`)).join(', ')],
    ['record.id', shown(call.call_id, 60)],
  ];
  return html`<dl class="record-facts">${rows.filter(([, value]) => value).map(([name, value]) => html`<div><dt>${t(name)}</dt><dd><bdi>${value}</bdi></dd></div>`)}</dl>`;
}
