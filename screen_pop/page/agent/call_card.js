/** The call in the middle of the desk: what it is now, who it is, how it came here, what can be done, what is noted. */

import { html } from '../lib/html.js';
import { secondsSince } from '../lib/clock.js';
import { duration, phone, timeOfDay } from '../lib/format.js';
import { Icon } from '../lib/icons.js';
import { shown } from '../lib/hostile.js';
import { parts, t } from '../lib/locale.js';
import { Timer } from '../lib/shell.js';
import { Caller } from './caller.js';
import { ControlRow } from './controls.js';
import { WrapUpForm } from './wrap_up_form.js';

/** @param {{card: import('./desk.js').Card, workplace: any}} props */
export function CallCard({ card, workplace }) {
  const { phase, callId } = card;
  return html`<article class=${`call-card ${phase}`} aria-labelledby="call-phase">
    <${PhaseHead} card=${card} />
    <${Caller} card=${card} workplace=${workplace} />
    <${Facts} card=${card} />
    ${phase === 'past' ? html`<${CallBack} call=${card.call} workplace=${workplace} />` : html`<${ControlRow} card=${card} workplace=${workplace} />`}
    ${(phase !== 'past' || card.call.answered_by.includes(workplace.desk.extension)) && html`<${WrapUpForm} key=${callId} card=${card} workplace=${workplace} />`}
  </article>`;
}

/** A past call's one action. */
function CallBack({ call, workplace }) {
  if (!call.customer_number) return null;
  return html`<div class="controls">
    <button type="button" class="button" onClick=${() => workplace.controls.dial(call.customer_number)}><${Icon} name="phone" />${t('action.call_back')}</button>
  </div>`;
}

const PHASE_ICONS = { ringing: 'bell', talking: 'phone', held: 'hold', wrap_up: 'note', past: 'history' };

function PhaseHead({ card }) {
  const { phase, call, talkSince, since } = card;
  const ended = phase === 'wrap_up' || phase === 'past';
  return html`<header class="phase-head">
    <p id="call-phase"><${Icon} name=${PHASE_ICONS[phase]} /><strong>${t(`phase.${phase}`)}</strong></p>
    ${phase === 'held' && html`<p class="quiet">${t('phase.held_means')}</p>`}
    ${ended && call.ended_at && html`<p class="quiet">${t('phase.over', { talk: duration(call.talk_s) })}${call.hung_up_by ? ` · ${t(`hung_up.${call.hung_up_by}`)}` : ''}</p>`}
    ${phase === 'past'
      ? html`<p class="big-timer">${timeOfDay(call.started_at)}</p>`
      : html`<p class="big-timer">${phase === 'held' && talkSince && html`<span class="quiet">${t('phase.talk_time')} <${Timer} since=${talkSince} /></span>`}<${Timer} since=${phase === 'talking' ? talkSince : since} /></p>`}
  </header>`;
}

function Facts({ card }) {
  const { call, pop, phase } = card;
  const waiting = phase === 'ringing';
  const routing = pop?.routing;
  const rows = [
    [t('fact.queue'), shown(call.queue, 40) || t(`direction.${call.direction}`)],
    [t(waiting ? 'fact.waiting' : 'fact.waited'), waiting ? duration(secondsSince(call.started_at)) : duration(call.wait_s)],
    [t('fact.called'), phone(call.did) || shown(call.did, 40)],
  ];
  return html`<div class="facts">
    <dl>${rows.map(([name, value]) => value && html`<div><dt>${name}</dt><dd><bdi>${value}</bdi></dd></div>`)}</dl>
    ${routing && html`<p class="routing"><${Icon} name="route" size=${16} /><span>${parts('routing.came', {
      rule: html`<strong>${shown(routing.rule, 60)}</strong>`, reason: html`<bdi>${shown(routing.reason, 200)}</bdi>`,
    })}</span></p>`}
  </div>`;
}
