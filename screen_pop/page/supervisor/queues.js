/** The queues: six figures over all of them, then one line each, the one in trouble first. */

import { html } from '../lib/html.js';
import { secondsSince } from '../lib/clock.js';
import { duration, NOTHING, percent } from '../lib/format.js';
import { shown } from '../lib/hostile.js';
import { Icon } from '../lib/icons.js';
import { t } from '../lib/locale.js';
import { FigureName, honest } from './figure.js';

/** @typedef {ReturnType<typeof import('../lib/shell.js').freshness>} Fresh */

/** Where a figure wants attention, and where action: waits in seconds, shares 0..1. */
const LIMITS = { longest: [30, 60], level: [0.8, 0.7], abandoned: [0.03, 0.05] };

/** @param {number|null} value @param {keyof typeof LIMITS} name @returns {''|'attention'|'action'} */
function alarm(value, name) {
  if (value === null) return '';
  const [first, second] = LIMITS[name];
  const beyond = (/** @type {number} */ limit) => (first < second ? value >= limit : value < limit);
  return beyond(second) ? 'action' : beyond(first) ? 'attention' : '';
}

const counted = (/** @type {any} */ queue) => queue.offered - queue.short_abandons;
const abandonShare = (/** @type {any} */ queue) =>
  counted(queue) > 0 ? Math.max(0, queue.abandoned - queue.short_abandons) / counted(queue) : null;
const longest = (/** @type {any} */ queue, /** @type {number|null} */ until) =>
  queue.longest_waiting_since ? secondsSince(queue.longest_waiting_since, until) : null;

/** The queues as one: sums, and means weighted by what they are means of. @param {any[]} queues @param {number|null} until */
function together(queues, until) {
  const sum = (/** @type {(queue: any) => number} */ of) => queues.reduce((total, queue) => total + of(queue), 0);
  const offered = sum(counted);
  const answered = sum((queue) => queue.answered);
  const goals = new Set(queues.map((queue) => queue.service_level_seconds));
  return {
    waiting: sum((queue) => queue.waiting),
    longest: queues.map((queue) => longest(queue, until)).reduce((most, one) => (one !== null && (most === null || one > most) ? one : most), null),
    level: offered > 0 ? sum((queue) => (queue.service_level ?? 0) * counted(queue)) / offered : null,
    goal: goals.size === 1 ? [...goals][0] : t('figure.each_queue'),
    abandoned: offered > 0 ? sum((queue) => Math.max(0, queue.abandoned - queue.short_abandons)) / offered : null,
    speed: answered > 0 ? sum((queue) => (queue.average_speed_of_answer_s ?? 0) * queue.answered) / answered : null,
  };
}

/** @param {{queues: any[], agents: any[], fresh: Fresh}} props */
export function Heroes({ queues, agents, fresh }) {
  const all = together(queues, fresh.until);
  const ready = agents.filter((one) => one.status === 'ready' && one.activity === 'idle').length;
  const signedIn = agents.filter((one) => one.status !== 'logged_out').length;
  const uncertain = queues.some((queue) => queue.provisional) ? t('figure.provisional') : '';
  const starved = all.waiting > 0 && ready === 0 ? 'action' : '';
  const tiles = [
    ['waiting', all.waiting, starved, ''],
    ['longest', duration(all.longest), alarm(all.longest, 'longest'), t('goal.below', { value: duration(LIMITS.longest[0]) })],
    ['service_level', percent(all.level), alarm(all.level, 'level'), t('goal.at_least', { value: percent(LIMITS.level[0]) }), uncertain],
    ['abandon_rate', percent(all.abandoned), alarm(all.abandoned, 'abandoned'), t('goal.below', { value: percent(LIMITS.abandoned[0]) }), uncertain],
    ['ready', ready, starved, t('figure.of_signed_in', { number: signedIn })],
    ['asa', duration(all.speed), '', '', uncertain],
  ];
  return html`<section class="heroes" aria-label=${t('board.heroes')}>
    ${tiles.map(([name, value, tone, goal, mark = '']) => html`<div class=${`hero ${fresh.state === 'gone' ? '' : tone}`} key=${name}>
      <${FigureName} name=${name} values=${{ seconds: all.goal }} />
      <p class="hero-value">${honest(fresh, value)}</p>
      <p class="hero-goal">${tone && fresh.state !== 'gone' ? html`<${Icon} name="warning" size=${16} />${t(`alarm.${tone}`)}${goal && ' · '}` : ''}${goal || '\u00a0'}</p>
      ${mark && html`<p><span class="tag" title=${t('figure.provisional_means')}>${mark}</span></p>`}
    </div>`)}
  </section>`;
}

const STATES = ['ready', 'ringing', 'talking', 'hold', 'wrap_up', 'paused', 'not_available'];

/** @param {{queues: any[], fresh: Fresh}} props */
export function QueueTable({ queues, fresh }) {
  const worstFirst = [...queues].sort((a, b) => b.waiting - a.waiting || (longest(b, fresh.until) ?? 0) - (longest(a, fresh.until) ?? 0) || a.queue.localeCompare(b.queue));
  const { goal } = together(queues, fresh.until);
  const cell = (/** @type {any} */ value, tone = '') =>
    html`<td class=${`number ${fresh.state === 'gone' ? '' : tone}`}>${honest(fresh, value)}${tone && fresh.state !== 'gone' ? html`<span class="unseen"> ${t(`alarm.${tone}`)}</span>` : ''}</td>`;
  return html`<section id="queues" class="panel" tabindex="-1" aria-labelledby="queues-title">
    <h2 id="queues-title">${t('board.queues')}</h2>
    <div class="scroll" tabindex="0" role="group" aria-labelledby="queues-title"><table>
      <thead><tr>
        <th scope="col">${t('fact.queue')}</th>
        ${['waiting', 'longest', 'service_level', 'answered', 'abandoned', 'asa'].map((name) => html`<th scope="col" class="number"><${FigureName} name=${name}
          values=${{ seconds: goal }} /></th>`)}
        <th scope="col">${t('board.agents')}</th>
      </tr></thead>
      <tbody>
        ${worstFirst.map((queue) => html`<tr key=${queue.queue}>
          <th scope="row">${shown(queue.queue, 40)}${queue.provisional && html` <span class="tag" title=${t('figure.provisional_means')}>${t('figure.provisional')}</span>`}</th>
          ${cell(queue.waiting, '')}
          ${cell(duration(longest(queue, fresh.until)), alarm(longest(queue, fresh.until), 'longest'))}
          ${cell(percent(queue.service_level), alarm(queue.service_level, 'level'))}
          ${cell(queue.offered ? queue.answered : NOTHING)}
          ${cell(queue.offered ? queue.abandoned : NOTHING, alarm(abandonShare(queue), 'abandoned'))}
          ${cell(duration(queue.average_speed_of_answer_s))}
          <td><${Distribution} agents=${queue.agents} fresh=${fresh} /></td>
        </tr>`)}
        ${queues.length === 0 && html`<tr><td colspan="8" class="empty">${t('board.no_queues')}</td></tr>`}
      </tbody>
    </table></div>
  </section>`;
}

/** Agents by state: words and numbers, with a bar for the eye. @param {{agents: Record<string, number>, fresh: {state: string}}} props */
function Distribution({ agents, fresh }) {
  if (fresh.state === 'gone') return NOTHING;
  const some = STATES.filter((state) => agents[state] > 0);
  if (some.length === 0) return html`<span class="quiet">${t('queue.no_agents')}</span>`;
  return html`<div class="distribution">
    <div class="distribution-bar" aria-hidden="true">${some.map((state) => html`<i class=${state} style=${{ flexGrow: agents[state] }}></i>`)}</div>
    <ul>${some.map((state) => html`<li class=${state}><span class="dot" aria-hidden="true"></span>${agents[state]} ${t(`state.${state}`)}</li>`)}</ul>
  </div>`;
}
