/** The left column: the calls of now in a place that is always kept free for them, and the calls of before. */

import { html } from '../lib/html.js';
import { now } from '../lib/clock.js';
import { Icon } from '../lib/icons.js';
import { callerName, duration, when } from '../lib/format.js';
import { shown } from '../lib/hostile.js';
import { t } from '../lib/locale.js';
import { Timer } from '../lib/shell.js';
import { Tier } from './tier.js';
import { outOfReach } from './controls.js';
import { knownElsewhere } from './elsewhere.js';
import { openRecord } from './records.js';
import { dispositionWords } from './wrap_up_form.js';

const ENDING_ICONS = { talked: 'phone', missed: 'missed', elsewhere: 'users', abandoned: 'hangUp' };

export function CallList({ workplace }) {
  const { desk } = workplace;
  const current = desk.current.value;
  return html`<section class="calls" aria-label=${t('calls.title')}>
    <h2>${t('calls.current')}</h2>
    <ul class="current-calls">
      ${current.map((card) => html`<${CurrentCall} key=${card.callId} card=${card} workplace=${workplace} />`)}
      ${current.length === 0 && html`<li class="empty">${t('calls.none')}</li>`}
    </ul>
    <h2>${t('calls.recent')}</h2>
    <ul class="recent-calls">
      ${desk.recent.value.map((past) => html`<li key=${past.callId}>
        <button type="button" class=${`recent ${past.ending}`} aria-current=${desk.opened.value === past.callId} onClick=${() => openRecord(desk, past)}>
          <${Icon} name=${past.call.direction === 'outbound' ? 'transfer' : ENDING_ICONS[past.ending]} size=${16} />
          <bdi class="recent-name">${callerName(past.call, past.account)}</bdi>
          <time datetime=${past.at}>${when(past.at, now.value)}</time>
          <span class="recent-detail">${recentDetail(past)}</span>
        </button>
      </li>`)}
      ${desk.recent.value.length === 0 && !desk.recordsRefused.value && html`<li class="empty">${t('calls.none_recent')}</li>`}
    </ul>
    <p class="refused" role="status">${desk.recordsRefused.value?.words()}</p>
  </section>`;
}

/** @param {import('./desk.js').Past} past */
function recentDetail({ call, ending, interaction }) {
  const what = ending === 'talked' ? duration(call.talk_s) : t(`ending.${ending}`);
  const label = interaction?.disposition ? dispositionWords(interaction.disposition) : ending === 'talked' ? t('wrap_up.no_disposition') : '';
  return [shown(call.queue, 24), what, label].filter(Boolean).join(' · ');
}

function CurrentCall({ card, workplace }) {
  const { desk, controls } = workplace;
  const { call, account, phase, callId } = card;
  return html`<li class=${`current-call ${phase}`}>
    <button type="button" class="current-open" aria-current=${desk.opened.value === callId} onClick=${() => (desk.opened.value = callId)}>
      <span class="phase"><span class="dot" aria-hidden="true"></span>${t(`phase.${phase}`)} <${Timer} since=${card.since} /></span>
      <bdi class="current-name">${callerName(call, account ?? knownElsewhere(card))}</bdi>
      <span class="current-detail"><${Tier} tier=${account?.tier} />${shown(call.queue, 24) || t(`direction.${call.direction}`)}</span>
    </button>
    ${phase === 'ringing' && html`<button type="button" class="button answer small" disabled=${outOfReach(card, workplace)} onClick=${() => controls.answer(callId)}>
      <${Icon} name="phone" size=${16} />${t('action.answer')}</button>`}
  </li>`;
}
