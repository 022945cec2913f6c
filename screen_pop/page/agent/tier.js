/** A customer's tier as a small badge; nothing where there is none. */

import { html } from '../lib/html.js';
import { t } from '../lib/locale.js';

/** @param {{tier: string|null|undefined}} props */
export function Tier({ tier }) {
  return tier ? html`<span class=${`tier ${tier}`}>${t(`tier.${tier}`)}</span>` : null;
}
