/** How the relation to the customer stands: signs of leaving with the figures behind each, and satisfaction scores as stars. */

import { html } from './html.js';
import { now } from './clock.js';
import { decimal, when } from './format.js';
import { Icon } from './icons.js';
import { shown } from './hostile.js';
import { t } from './locale.js';

export const HIGHEST_SCORE = 5;
const LOW_SCORE = 2;

/** @type {Record<string, (figures: any, since: string) => string>} */
const WORDS = {
  repeated_complaints: (figures, since) => [
    figures.complaints > 1 && t('sign.complaints', { count: figures.complaints, since: when(since, now.value) }),
    figures.came_back > 0 && (figures.problem ? t('sign.came_back', { problem: shown(figures.problem, 40) }) : t('sign.came_back_plain')),
  ].filter(Boolean).join(' · '),
  unkept_promises: ({ promises, days }) => t('sign.unkept_promises', { count: promises, days }),
  low_satisfaction: ({ average, scores }) => t('sign.low_satisfaction', { average: decimal(average), count: scores }),
  falling_contact: ({ contacts, before, days }) => t('sign.falling_contact', { count: contacts, before, days }),
  long_silence: ({ days }) => t('sign.long_silence', { days }),
};

/** The signs of a relation, each with its words; what a newer server knows is left out. @param {any} relation @returns {{sign: string, words: string}[]} */
export const signsOf = (relation) => (relation?.churn_signs ?? [])
  .filter((/** @type {any} */ one) => Object.hasOwn(WORDS, one.sign))
  .map((/** @type {any} */ one) => ({ sign: one.sign, words: WORDS[one.sign](one.figures, one.since) }));

/** Why the customer may be leaving; nothing where there is no sign. @param {{relation: any}} props */
export function ChurnSigns({ relation }) {
  const signs = signsOf(relation);
  if (!signs.length) return null;
  return html`<div class="callout warn signs"><${Icon} name="leave" size=${16} />
    <p id="signs-title"><strong>${t('sign.title')}</strong></p>
    <ul class="chips" aria-labelledby="signs-title">${signs.map(({ sign, words }) => html`<li key=${sign}><bdi>${words}</bdi></li>`)}</ul></div>`;
}

/** The mean of the customer's newest scores, in words. @param {any} relation */
export const satisfactionWords = ({ satisfaction }) => t('satisfaction.mean', { average: decimal(satisfaction.average), number: satisfaction.count });

/** One contact's score. @param {{satisfaction: any}} props */
export function Stars({ satisfaction }) {
  const { score, source } = satisfaction;
  const words = t(source === 'agent' ? 'satisfaction.agent_said' : 'satisfaction.customer_said', { score });
  return html`<span class=${`stars ${score <= LOW_SCORE ? 'low' : ''}`} role="img" aria-label=${words} title=${words}>${'★'.repeat(score)}${'☆'.repeat(HIGHEST_SCORE - score)}</span>`;
}
