/** The supervisor's board: what waits, who works, which calls are on; each figure says its formula and how fresh it is. */

import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { html } from '../lib/html.js';
import { now } from '../lib/clock.js';
import { Completeness } from '../lib/completeness.js';
import { timeOfDay } from '../lib/format.js';
import { shown } from '../lib/hostile.js';
import { openLink } from '../lib/link.js';
import { t } from '../lib/locale.js';
import { toSignIn } from '../lib/rest.js';
import { Brand, ConnectionBanner, freshness, startPage, Tools } from '../lib/shell.js';
import { AgentTable } from './agents.js';
import { AtRisk } from './at_risk.js';
import { openBoard } from './board.js';
import { CallRecord, CallTable } from './calls.js';
import { Heroes, QueueTable } from './queues.js';

function Board({ board, link, user }) {
  const fresh = freshness(link.status.value, board.pbxLinks.value);
  useEffect(() => {
    document.title = `${t('board.title')} · cti-bridge`;
  });
  return html`
    <nav class="skips" aria-label=${t('skip.title')}><a href="#queues">${t('skip.queues')}</a><a href="#agents">${t('skip.agents')}</a><a href="#live-calls">${t('skip.calls')}</a></nav>
    <header class="bar">
      <${Brand} title=${t('board.title')} />
      <p class=${`freshness ${fresh.state}`}><span class="dot" aria-hidden="true"></span>
        ${fresh.state === 'live' ? t('link.live') : t('link.as_of', { time: timeOfDay(fresh.asOf, { seconds: true }) })}</p>
      <p class="wall-clock" role="timer">${timeOfDay(now.value, { seconds: true })}</p>
      <span class="me">${shown(user.name, 40)}</span>
      <${Tools} user=${user} />
    </header>
    <${ConnectionBanner} link=${link} pbxLinks=${board.pbxLinks.value} gaps=${board.gaps.value} calm=${t('link.calm_board')} />
    <main class=${`board ${fresh.state}`}>
      <${Heroes} queues=${board.queues.value} agents=${board.agents.value} fresh=${fresh} />
      <${Completeness} gaps=${board.gaps.value} audits=${board.audits.value} />
      <${QueueTable} queues=${board.queues.value} fresh=${fresh} />
      <div class="board-columns">
        <${AgentTable} agents=${board.agents.value} fresh=${fresh} />
        <${CallTable} board=${board} fresh=${fresh} />
      </div>
      <${AtRisk} />
    </main>
    ${board.opened.value && html`<${CallRecord} key=${board.opened.value} callId=${board.opened.value} board=${board} />`}
  `;
}

startPage('supervisor', (user) => {
  const board = openBoard(signal(/** @type {string|null} */ (null)));
  const link = openLink({ onWelcome: board.takeWelcome, onEvent: board.takeEvent, onSignedOut: toSignIn });
  return html`<${Board} board=${board} link=${link} user=${user} />`;
});
