/** The agents, grouped by what they do, those longest in it first. */

import { html } from '../lib/html.js';
import { secondsSince } from '../lib/clock.js';
import { shown } from '../lib/hostile.js';
import { Icon } from '../lib/icons.js';
import { t, tOr } from '../lib/locale.js';
import { Timer } from '../lib/shell.js';
import { honest } from './figure.js';

const ORDER = ['ringing', 'hold', 'talking', 'wrap_up', 'ready', 'paused', 'not_available', 'logged_out'];
/** Seconds in a state after which somebody should look. */
const LONG = { ringing: 15, hold: 120, wrap_up: 60 };
const NO_PHONE = new Set(['unavailable', 'invalid']);

/** @param {any} agent */
function stateOf(agent) {
  if (agent.activity !== 'idle') return agent.activity;
  if (agent.status !== 'logged_out' && NO_PHONE.has(agent.phone)) return 'not_available';
  return agent.status;
}

/** @param {{agents: any[], fresh: ReturnType<typeof import('../lib/shell.js').freshness>}} props */
export function AgentTable({ agents, fresh }) {
  const rows = agents
    .map((agent) => ({ agent, state: stateOf(agent) }))
    .sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || a.agent.since.localeCompare(b.agent.since));
  return html`<section id="agents" class="panel" tabindex="-1" aria-labelledby="agents-title">
    <h2 id="agents-title">${t('board.agents')} <span class="count">${honest(fresh, agents.length)}</span></h2>
    <div class="scroll" tabindex="0" role="group" aria-labelledby="agents-title"><table class="agents">
      <thead><tr><th scope="col">${t('agents.name')}</th><th scope="col">${t('agents.state')}</th><th scope="col" class="number">${t('agents.since')}</th><th scope="col">${t('agents.queues')}</th></tr></thead>
      <tbody>
        ${rows.map(({ agent, state }) => html`<tr key=${agent.agent}>
          <th scope="row"><bdi>${shown(agent.name, 40)}</bdi> <span class="quiet">${shown(agent.agent, 12)}</span></th>
          <td><span class=${`state-word ${state}`}><span class="dot" aria-hidden="true"></span>${honest(fresh, t(`state.${state}`))}${agent.pause_reason && state === 'paused'
            ? ` · ${tOr(`pause.${agent.pause_reason}`, shown(agent.pause_reason, 30))}` : ''}</span></td>
          <td class="number">${fresh.state === 'gone' ? honest(fresh, '') : html`<${TimeInState} since=${agent.since} until=${fresh.until} state=${state} />`}</td>
          <td class="quiet">${agent.queues.map((/** @type {string} */ queue) => shown(queue, 20)).join(', ')}</td>
        </tr>`)}
        ${rows.length === 0 && html`<tr><td colspan="4" class="empty">${t('agents.none')}</td></tr>`}
      </tbody>
    </table></div>
  </section>`;
}

function TimeInState({ since, until, state }) {
  const tooLong = state in LONG && secondsSince(since, until) > LONG[state];
  return html`<span class=${tooLong ? 'too-long' : ''}>${tooLong && html`<${Icon} name="warning" size=${14} />`}<${Timer} since=${since} until=${until} />${tooLong && html`<span class="unseen"> ${t('alarm.attention')}</span>`}</span>`;
}
