/** The links to the PBXs: state, what it means, since when, and the counters. Forged events are an alarm. */

import { html } from '../lib/html.js';
import { timeOfDay } from '../lib/format.js';
import { shown } from '../lib/hostile.js';
import { Icon } from '../lib/icons.js';
import { language, t, tOr } from '../lib/locale.js';
import { Timer } from '../lib/shell.js';

const TONES = { connected: 'good', connecting: 'wait', refused: 'bad', disconnected: 'bad' };

/** @param {{links: any[], fresh: {state: string, asOf: number}}} props */
export function PbxLinks({ links, fresh }) {
  return html`<section id="pbx" class="panel" tabindex="-1" aria-labelledby="pbx-title">
    <h2 id="pbx-title">${t('admin.pbx')} ${fresh.state !== 'live' && html`<span class="as-of">${t('link.as_of', { time: timeOfDay(fresh.asOf, { seconds: true }) })}</span>`}</h2>
    ${links.length === 0 && html`<p class="empty">${t('admin.no_pbx')}</p>`}
    ${links.map((link) => html`<${PbxLink} key=${link.name} link=${link} />`)}
  </section>`;
}

function PbxLink({ link }) {
  const tone = TONES[link.state] ?? 'wait';
  const forged = link.counters?.forged ?? 0;
  const counters = Object.entries(link.counters ?? {}).sort(([a], [b]) => a.localeCompare(b));
  const number = new Intl.NumberFormat(language());
  return html`<article class="pbx-link">
    <header>
      <h3>${shown(link.name, 40)}</h3>
      <span class=${`badge ${tone}`}><${Icon} name=${tone === 'good' ? 'check' : 'warning'} size=${16} />${t(`pbx.${link.state}`)}</span>
      <span class="quiet"><${Timer} since=${link.since} /></span>
      ${link.version && html`<span class="quiet version">${shown(link.version, 80)}</span>`}
    </header>
    <p>${t(`pbx.${link.state}_means`)}</p>
    ${link.detail && html`<p class="quiet"><bdi>${shown(link.detail, 300)}</bdi></p>`}
    ${forged > 0 && html`<p class="callout bad" role="alert"><${Icon} name="warning" /><span><strong>${t('pbx.forged', { count: forged })}</strong> ${t('pbx.forged_means')}</span></p>`}
    <dl class="counters">${counters.map(([name, value]) => html`<div class=${name === 'forged' && value > 0 ? 'bad' : ''}><dt>${tOr(`counter.${name}`, shown(name, 40))}</dt><dd>${number.format(value)}</dd></div>`)}</dl>
  </article>`;
}
