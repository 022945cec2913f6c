/**
 * What the figures lack: the times in which a PBX was not seen, what became of their calls, and what the last audit found.
 */

import { html } from './html.js';
import { now } from './clock.js';
import { timeOfDay, when } from './format.js';
import { shown } from './hostile.js';
import { Icon } from './icons.js';
import { language, tag, t } from './locale.js';

const SETTLED_SHOWN_MS = 3_600_000;
const QUEUES_NAMED = 4;
const LINES = 3;

/** @param {{gaps: any[], audits: any[], all?: boolean}} props `all`: also those that were settled more than an hour ago */
export function Completeness({ gaps, audits, all = false }) {
  const closed = gaps.filter(({ until }) => until);
  const shownNow = closed.filter((gap) => all || !gap.settled_at || now.value - Date.parse(gap.settled_at) < SETTLED_SHOWN_MS);
  if (shownNow.length + audits.length === 0) return null;
  const [first, more] = [shownNow.slice(0, LINES), shownNow.slice(LINES)];
  return html`<section class="completeness" aria-label=${t('completeness.title')} role="status" aria-atomic="false">
    <ul>
      ${first.map((gap) => html`<${GapLine} key=${gap.gap_id} gap=${gap} />`)}
      ${audits.map((audit) => html`<${AuditLine} key=${audit.pbx} audit=${audit} />`)}
    </ul>
    ${more.length > 0 && html`<details><summary>${t('gap.more', { count: more.length })}</summary>
      <ul>${more.map((gap) => html`<${GapLine} key=${gap.gap_id} gap=${gap} />`)}</ul></details>`}
  </section>`;
}

function GapLine({ gap }) {
  const settled = Boolean(gap.settled_at);
  return html`<li class=${settled ? 'settled' : 'provisional'}>
    <${Icon} name=${settled ? 'check' : 'warning'} size=${16} />
    <p><strong>${t(`gap.${gap.cause}`, { pbx: shown(gap.pbx, 40), since: clock(gap.since), until: clock(gap.until) })}</strong>
      ${` ${whatBecame(gap)} `}${settled ? t(gap.added ? 'gap.settled_added' : 'gap.settled') : concerned(gap)}</p>
  </li>`;
}

/** @param {any} gap */
function whatBecame(gap) {
  const counts = ['rebuilt', 'ended_unseen', 'appeared', 'added', 'corrected'].filter((name) => gap[name] > 0);
  if (counts.length === 0) return t('gap.nothing');
  return t('gap.calls', { list: listed(counts.map((name) => t(`gap.${name}`, { count: gap[name] }))) });
}

/** @param {any} gap */
function concerned(gap) {
  const names = gap.queues.map((/** @type {string} */ queue) => shown(queue, 24));
  const more = names.length - QUEUES_NAMED;
  const named = more > 1 ? [...names.slice(0, QUEUES_NAMED), t('gap.more_queues', { count: more })] : names;
  return t(gap.is_audited ? 'gap.until_audit' : 'gap.no_record', { list: named.length ? listed(named) : t('gap.all_queues') });
}

function AuditLine({ audit }) {
  const wrong = Object.entries(audit.counts).filter(([, count]) => count > 0);
  const [tone, icon] = audit.error || audit.left > 0 ? ['provisional', 'warning'] : ['settled', 'check'];
  return html`<li class=${tone}><${Icon} name=${icon} size=${16} />
    <p><strong>${t('audit.of', { time: when(audit.at, now.value), pbx: shown(audit.pbx, 40) })}</strong> ${audit.error
      ? t('audit.could_not_look', { why: shown(audit.error, 200) })
      : html`${t('audit.calls', { count: audit.calls, number: number(audit.calls) })} ${wrong.length === 0
        ? t('audit.clean')
        : t('audit.found', { list: listed(wrong.map(([kind, count]) => t(`audit.${kind}`, { number: number(count) }))) })} ${wrong.length > 0
        ? t(audit.left > 0 ? 'audit.left' : 'audit.mended', { number: number(audit.left) }) : ''}`}</p>
  </li>`;
}

const clock = (/** @type {string} */ at) => timeOfDay(at, { seconds: true });
const listed = (/** @type {string[]} */ words) => new Intl.ListFormat(tag(), { style: 'narrow' }).format(words);
const number = (/** @type {any} */ value) => new Intl.NumberFormat(language()).format(value);
