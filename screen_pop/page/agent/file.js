/** The customer's file beside the call: what must be known before the first sentence first, then wishes, dates and figures. */

import { day } from '../lib/format.js';
import { html } from '../lib/html.js';
import { Icon } from '../lib/icons.js';
import { shown, shownLines } from '../lib/hostile.js';
import { t } from '../lib/locale.js';
import { ChurnSigns, satisfactionWords } from '../lib/relation.js';

/** @param {{account: any, today?: string}} props `today`: an ISO 8601 date */
export function CustomerFile({ account, today = new Date().toISOString().slice(0, 10) }) {
  const { profile } = account;
  if (!profile) return null;
  const alerts = profile.alerts.filter((/** @type {any} */ one) => !one.until || one.until >= today);
  const facts = [
    account.relation?.satisfaction && [t('satisfaction.title'), satisfactionWords(account.relation)],
    profile.stage && [t('file.stage'), t(`stage.${profile.stage}`)],
    profile.kind === 'internal' && [t('file.kind'), t('kind.internal')],
    profile.chain_place && [t('file.chain_place'), t(`chain.${profile.chain_place}`)],
    account.tier && account.tier_reason && [t('file.tier_reason'), shown(account.tier_reason, 120)],
    profile.last_order_on && [t('file.last_order_on'), day(profile.last_order_on)],
    profile.preferred_agent && [t('file.preferred_agent'), shown(profile.preferred_agent, 20)],
    ...profile.dates.map((/** @type {any} */ one) => [shown(one.name, 60), day(one.on)]),
    ...Object.entries(profile.custom).map(([name, value]) => [shown(name, 40), typeof value === 'boolean' ? t(value ? 'file.yes' : 'file.no') : shown(String(value), 80)]),
  ].filter(Boolean);
  return html`
    ${alerts.map((/** @type {any} */ one) => html`<p class="callout bad" key=${one.kind}><${Icon} name="warning" size=${16} />
      <span><strong>${t(`alert.${one.kind}`)}</strong> <bdi>${shown(one.text, 200)}</bdi></span></p>`)}
    ${profile.taboos && html`<p class="callout bad"><${Icon} name="warning" size=${16} /><span><strong>${t('file.taboos')}</strong> <bdi>${shownLines(profile.taboos, 300)}</bdi></span></p>`}
    <${ChurnSigns} relation=${account.relation} />
    ${profile.preferences && html`<p class="callout note"><${Icon} name="user" size=${16} /><span><strong>${t('file.preferences')}</strong> <bdi>${shownLines(profile.preferences, 300)}</bdi></span></p>`}
    ${facts.length > 0 && html`<details class="file"><summary>${t('file.title')}</summary>
      <dl>${facts.map(([name, value]) => html`<div key=${name}><dt><bdi>${name}</bdi></dt><dd><bdi>${value}</bdi></dd></div>`)}</dl></details>`}`;
}
