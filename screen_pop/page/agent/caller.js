/** Who is calling: the account's name, or what the telephone says. What the number says is a hint, never proof. */

import { html } from '../lib/html.js';
import { Icon } from '../lib/icons.js';
import { callerName, callerNumber } from '../lib/format.js';
import { initials, shown, shownLines } from '../lib/hostile.js';
import { t } from '../lib/locale.js';
import { Doubles } from './doubles.js';
import { knownElsewhere, ofSource } from './elsewhere.js';
import { CustomerFile } from './file.js';
import { Match } from './match.js';
import { Promises } from './promises.js';
import { Tier } from './tier.js';

/** @param {{card: import('./desk.js').Card, workplace: any}} props */
export function Caller({ card, workplace }) {
  const { call, account } = card;
  const elsewhere = knownElsewhere(card);
  const known = account ?? elsewhere;
  const name = callerName(call, known);
  const number = callerNumber(call);
  const said = shown(call.customer_name, 60);
  const details = [
    name === number ? '' : number,
    shown(known?.company, 60),
    known && said && said !== name && t('caller.says', { name: said }),
  ].filter(Boolean);
  return html`<section class="caller" aria-label=${t('caller.title')}>
    <span class=${`face ${account?.tier ?? ''}`} aria-hidden="true">${known || said ? initials(name) : html`<${Icon} name=${number ? 'phone' : 'hidden'} size=${24} />`}</span>
    <div class="who">
      <h2><bdi>${name}</bdi> <${Tier} tier=${account?.tier} />${account?.provisional && html` <span class="badge">${t('account.provisional')}</span>`}${elsewhere && html` <span class="badge">${ofSource('from', elsewhere)}</span>`}</h2>
      <p class="who-details">${details.map((one, index) => html`${index > 0 && ' · '}<bdi>${one}</bdi>`)}</p>
    </div>
    ${call.untrusted_caller && html`<p class="callout bad"><${Icon} name="warning" size=${16} /><span>${t('caller.untrusted')}</span></p>`}
    <${Match} card=${card} workplace=${workplace} />
    ${account && html`<${Promises} key=${`${card.callId} ${account.account_id}`} card=${card} workplace=${workplace} />`}
    ${account && card.phase !== 'ringing' && html`<${Doubles} key=${`${card.callId} ${account.account_id}`} card=${card} workplace=${workplace} />`}
    ${account && html`<${CustomerFile} account=${account} />`}
    ${account?.note && html`<p class="callout note"><${Icon} name="note" size=${16} /><bdi>${shownLines(account.note, 400)}</bdi></p>`}
  </section>`;
}
