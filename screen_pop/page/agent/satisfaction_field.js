/** The wrap-up's question how satisfied the customer is; where the customer gave a score, that is shown and stays. */

import { html } from '../lib/html.js';
import { t } from '../lib/locale.js';
import { HIGHEST_SCORE, Stars } from '../lib/relation.js';

const SCORES = Array.from({ length: HIGHEST_SCORE }, (_, place) => place + 1);

/** @param {{score: number|null, stored: any, onChange: (score: number|null) => void}} props `stored`: what stands on the record */
export function SatisfactionField({ score, stored, onChange }) {
  if (stored && stored.source !== 'agent') {
    return html`<p class="customers-score"><span class="quiet">${t('satisfaction.title')}</span> <${Stars} satisfaction=${stored} /> ${t('satisfaction.by_customer')}</p>`;
  }
  return html`<fieldset class="pills scores">
    <legend>${t('satisfaction.question')}</legend>
    ${SCORES.map((one) => html`<label key=${one}><input type="radio" name="satisfaction" value=${one} checked=${score === one}
      aria-label=${`${one} ${t(`satisfaction.${one}`)}`} onChange=${() => onChange(one)} /><span title=${t(`satisfaction.${one}`)}>${one}</span></label>`)}
    ${score !== null && html`<span class="score-words">${t(`satisfaction.${score}`)}</span>
      <button type="button" class="link-button" onClick=${() => onChange(null)}>${t('satisfaction.clear')}</button>`}
  </fieldset>`;
}
