/** The rules file as it lies on the disk, with every mistake at its line; the last good version stays in force. */

import { html } from '../lib/html.js';
import { now } from '../lib/clock.js';
import { when } from '../lib/format.js';
import { shown } from '../lib/hostile.js';
import { Icon } from '../lib/icons.js';
import { t } from '../lib/locale.js';

const LINES_SHOWN = 2000;

/** @param {{routing: any}} props */
export function RoutingFile({ routing }) {
  if (!routing) return null;
  const { file, version, text, problems, loaded_at: loadedAt } = routing;
  /** @type {Map<number, any[]>} */
  const atLine = Map.groupBy(problems, (/** @type {any} */ problem) => problem.line);
  const lines = text.split('\n').slice(0, LINES_SHOWN);
  return html`<section id="routing" class="panel" tabindex="-1" aria-labelledby="routing-title">
    <h2 id="routing-title">${t('admin.routing')}</h2>
    <p class="routing-state">
      <span class=${`badge ${problems.length ? 'bad' : 'good'}`}><${Icon} name=${problems.length ? 'warning' : 'check'} size=${16} />${problems.length
        ? t('routing.problems', { count: problems.length }) : t('routing.sound')}</span>
      <code>${shown(file, 200)}</code>
      <span class="quiet">${version ? t('routing.in_force', { version: shown(version, 20) }) : t('routing.none_in_force')}${loadedAt ? ` · ${when(loadedAt, now.value)}` : ''}</span>
    </p>
    ${problems.length > 0 && html`<p class="callout warn"><${Icon} name="info" size=${16} /><span>${t(version ? 'routing.last_good' : 'routing.fails_open')}</span></p>
    <ol class="problems">${problems.map((/** @type {any} */ problem) => html`<li>
      <a href=${`#line-${problem.line}`}>${t('routing.at', { line: problem.line, column: problem.column })}</a>
      <span>${shown(problem.message, 300)}</span>${problem.hint && html`<span class="quiet">${shown(problem.hint, 300)}</span>`}</li>`)}</ol>`}
    <div class="listing" tabindex="0" role="group" aria-label=${shown(file, 200)}>
      <ol>${lines.map((/** @type {string} */ line, /** @type {number} */ index) => html`<li id=${`line-${index + 1}`} class=${atLine.has(index + 1) ? 'wrong' : ''}>
        <code>${shown(line, 400) || '\u00a0'}</code>
        ${atLine.get(index + 1)?.map((problem) => html`<p class="line-problem"><${Icon} name="warning" size=${14} /><span>${shown(problem.message, 300)}${problem.hint ? ` — ${shown(problem.hint, 300)}` : ''}</span></p>`)}
      </li>`)}</ol>
    </div>
  </section>`;
}
