/** The bar at the top: the agent's state and since when, the extension, and the three links by name. */

import { html } from '../lib/html.js';
import { Icon } from '../lib/icons.js';
import { shown } from '../lib/hostile.js';
import { Menu } from '../lib/menu.js';
import { t, tOr } from '../lib/locale.js';
import { Brand, Timer, Tools } from '../lib/shell.js';

const PAUSE_REASONS = ['break', 'lunch', 'training', 'meeting', 'paperwork'];
const NO_PHONE = new Set(['unavailable', 'invalid']);

/** What the agent is to the centre in one word: the activity where there is one, else the status. */
export function stateOf(/** @type {any} */ agent) {
  if (!agent) return 'unknown';
  if (agent.activity !== 'idle') return agent.activity;
  return agent.status;
}

const pauseReason = (/** @type {string} */ reason) => tOr(`pause.${reason}`, shown(reason, 40));

export function StatusBar({ workplace, onHelp }) {
  const { desk, link, user, controls } = workplace;
  const agent = desk.agent.value;
  const state = stateOf(agent);
  const command = controls.commands.value.state;
  const reason = state === 'paused' && agent.pause_reason ? ` · ${pauseReason(agent.pause_reason)}` : '';
  const choices = [
    { key: 'ready', label: t('state.ready'), icon: 'check', tone: 'ready', current: agent?.status === 'ready', onChoose: () => controls.setState('ready', '') },
    { heading: t('state.pause_because') },
    ...PAUSE_REASONS.map((one) => ({
      key: one, label: t(`pause.${one}`), icon: 'pause',
      current: agent?.status === 'paused' && agent.pause_reason === one,
      onChoose: () => controls.setState('paused', one),
    })),
  ];
  return html`<header class="bar">
    <${Brand} title=${t('agent.title')} />
    <div class="my-state">
      <${Menu} id="status-menu" name=${t('state.menu', { state: t(`state.${state}`) + reason })} tone=${`state ${state}`} shortcut="Alt+S" choices=${choices}
        label=${html`<span class="dot" aria-hidden="true"></span><span class="state-word">${t(`state.${state}`)}${reason}</span> <${Timer} since=${agent?.since} />`} />
      ${command?.refusal && html`<span class="refused" role="status"><${Icon} name="warning" size=${16} />${command.refusal.words()}</span>`}
    </div>
    <${Links} status=${link.status.value} pbxLinks=${desk.pbxLinks.value} agent=${agent} extension=${user.extension} />
    <span class="me">${shown(user.name, 40)}</span>
    <${Tools} user=${user}>
      <button type="button" class="tool keys-tool" aria-label=${t('keys.title')} title=${t('keys.title')} onClick=${onHelp}><${Icon} name="keyboard" /></button>
    <//>
  </header>`;
}

function Links({ status, pbxLinks, agent, extension }) {
  const server = { live: 'good', connecting: 'wait', down: 'bad', refused: 'bad' }[status.phase];
  const pbxGood = pbxLinks.length > 0 && pbxLinks.every((/** @type {any} */ { state }) => state === 'connected');
  const pbx = server !== 'good' ? 'wait' : pbxGood ? 'good' : 'bad';
  const phoneKnown = agent && agent.phone !== 'unknown';
  const phone = server !== 'good' || pbx !== 'good' || !phoneKnown ? 'wait' : NO_PHONE.has(agent.phone) ? 'bad' : 'good';
  const rows = [
    ['exchange', 'link.server', server, t(`link.server_${status.phase}`)],
    ['server', 'link.pbx', pbx, t(`link.pbx_${pbx}`)],
    ['phone', 'link.phone', phone, `${shown(extension, 12)} ${t(`link.phone_${phone}`)}`],
  ];
  return html`<ul class="links" aria-label=${t('link.title')}>
    ${rows.map(([icon, name, tone, words]) => html`<li class=${tone} title=${`${t(name)}: ${words}`}>
      <${Icon} name=${tone === 'good' ? icon : 'warning'} size=${16} /><span class="link-name">${t(name)}</span><span class="link-state">${words}</span>
    </li>`)}
  </ul>`;
}
