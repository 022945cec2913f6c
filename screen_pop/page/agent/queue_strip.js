/** The agent's queues in one line: who waits, and for how long. */

import { html } from '../lib/html.js';
import { secondsSince } from '../lib/clock.js';
import { duration, NOTHING, timeOfDay } from '../lib/format.js';
import { shown } from '../lib/hostile.js';
import { t } from '../lib/locale.js';
import { Dial } from './dial.js';

/** @param {{queues: any[], fresh: ReturnType<typeof import('../lib/shell.js').freshness>, controls: any}} props */
export function QueueStrip({ queues, fresh, controls }) {
  const gone = fresh.state === 'gone';
  return html`<section class=${`queue-strip ${fresh.state}`} aria-label=${t('queue.title')}>
    <ul>
      ${queues.map((queue) => html`<li key=${queue.queue} class=${queue.waiting > 0 && !gone ? 'waiting' : ''}>
        <span class="queue-name">${shown(queue.queue, 24)}</span>
        <strong>${gone ? NOTHING : queue.waiting}</strong> <span class="quiet">${t('queue.waiting')}</span>
        ${queue.longest_waiting_since && !gone && html`<span class="quiet"> · ${t('queue.longest')} </span><strong>${duration(secondsSince(queue.longest_waiting_since, fresh.until))}</strong>`}
      </li>`)}
      ${queues.length === 0 && html`<li class="quiet">${t('queue.none')}</li>`}
    </ul>
    ${fresh.state !== 'live' && html`<span class="as-of">${t('link.as_of', { time: timeOfDay(fresh.asOf, { seconds: true }) })}</span>`}
    <${Dial} controls=${controls} />
  </section>`;
}
