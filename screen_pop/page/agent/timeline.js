/** The account's record of contacts, newest first, whatever the channel. */

import { useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { now } from '../lib/clock.js';
import { duration, phone, when } from '../lib/format.js';
import { Icon } from '../lib/icons.js';
import { shown, shownLines } from '../lib/hostile.js';
import { t, tOr } from '../lib/locale.js';
import { wordsOf } from '../lib/rest.js';
import { isMasked, Reveal } from '../lib/reveal.js';
import { timelineOf } from './records.js';
import { Stars } from '../lib/relation.js';
import { dispositionWords } from './wrap_up_form.js';

const CHANNEL_ICONS = { phone: 'phone', email: 'mail', web: 'chat', chat: 'chat', sms: 'chat', fax: 'letter', letter: 'letter', visit: 'user' };

/** @param {{card: import('./desk.js').Card|null}} props */
export function Timeline({ card }) {
  const [older, setOlder] = useState({ items: /** @type {any[]|null} */ (null), next: /** @type {string|null} */ (null), refused: '' });
  const account = card?.account;
  if (!account) {
    return html`<h2>${t('timeline.title')}</h2><p class="empty">${t(card ? 'timeline.no_account' : 'timeline.no_call')}</p>`;
  }
  const items = (older.items ?? card.history).filter((one) => one.call_id === null || one.call_id !== card.callId);
  const more = async () => {
    try {
      const page = await timelineOf(account.account_id, older.next);
      setOlder({ items: [...(older.next ? older.items ?? [] : []), ...page.items], next: page.next, refused: '' });
    } catch (error) {
      setOlder({ ...older, refused: wordsOf(error) });
    }
  };
  return html`<h2>${t('timeline.title')}</h2>
    <${ContactPoints} key=${account.account_id} account=${account} />
    ${items.length === 0 && html`<p class="empty">${t('timeline.first_contact')}</p>`}
    <ol class="timeline">
      ${items.map((one) => html`<li key=${one.interaction_id}>
        <span class="timeline-icon"><${Icon} name=${CHANNEL_ICONS[one.channel] ?? 'chat'} size=${16} /></span>
        <p class="timeline-head"><strong>${headline(one)}</strong><time datetime=${one.started_at}>${when(one.started_at, now.value)}</time></p>
        <p class="quiet">${facts(one)}${one.satisfaction && html` <${Stars} satisfaction=${one.satisfaction} />`}</p>
        ${one.satisfaction?.comment && html`<p class="timeline-quote"><bdi>${shownLines(one.satisfaction.comment, 280)}</bdi></p>`}
        ${one.note && html`<p class="timeline-note"><bdi>${shownLines(one.note, 280)}</bdi></p>`}
      </li>`)}
    </ol>
    ${(older.items === null || older.next) && items.length > 0 && html`<button type="button" class="button small" onClick=${more}>${t('timeline.more')}</button>`}
    <p class="refused" role="status">${older.refused}</p>`;
}

/** @param {any} one */
function headline(one) {
  if (one.subject) return html`<bdi>${shown(one.subject, 80)}</bdi>`;
  if (one.disposition) return html`<bdi>${dispositionWords(one.disposition)}</bdi>`;
  return one.outcome ? tOr(`outcome.${one.outcome}`, shown(one.outcome, 40)) : t(`channel.${one.channel}`);
}

/** @param {any} one */
function facts(one) {
  return [
    t(`channel.${one.channel}`),
    one.direction === 'outbound' ? t('direction.outbound') : '',
    shown(one.queue, 24),
    one.call?.talk_s ? duration(one.call.talk_s) : '',
    one.agent ? t('timeline.with', { agent: shown(one.agent, 20) }) : '',
  ].filter(Boolean).join(' · ');
}

/** How the customer is reached, with a way to see it whole where it is masked. @param {{account: any}} props */
function ContactPoints({ account }) {
  const [whole, setWhole] = useState(account);
  const hidden = account.contact_points.some((/** @type {any} */ { value }) => isMasked(value));
  const points = (hidden ? whole : account).contact_points;
  if (!points.length) return null;
  const offers = points.some((/** @type {any} */ { value }) => isMasked(value));
  return html`<ul class="contact-points">
    ${points.slice(0, 6).map((/** @type {any} */ point) => html`<li><${Icon} name=${point.kind === 'phone' ? 'phone' : point.kind === 'email' ? 'mail' : 'letter'} size=${14} />
      <bdi>${point.kind === 'phone' ? phone(point.value) : shown(point.as_given, 60)}</bdi>${point.extension && html`<span>${t('match.extension', { extension: shown(point.extension, 8) })}</span>`}${point.label && html`<span class="quiet">${shown(point.label, 20)}</span>`}</li>`)}
    ${offers && html`<li><${Reveal} path=${`/accounts/${encodeURIComponent(account.account_id)}`} onRevealed=${setWhole} /></li>`}
  </ul>`;
}
