/**
 * Numbers and addresses that are masked for the reader's role: shown whole for once, to who says why. The server writes it down.
 */

import { useState } from 'preact/hooks';
import { html } from './html.js';
import { t } from './locale.js';
import { Menu } from './menu.js';
import { request, wordsOf } from './rest.js';

const REASONS = ['call_back', 'identity', 'correction', 'complaint', 'other'];

/** @param {string|null|undefined} value as the server sent it */
export const isMasked = (value) => Boolean(value?.includes('**'));

/** @param {{path: string, onRevealed: (whole: any) => void}} props `path`: of the account or call below /api/v1 */
export function Reveal({ path, onRevealed }) {
  const [refused, setRefused] = useState('');
  const reveal = async (/** @type {string} */ reason) => {
    try {
      onRevealed(await request('POST', `${path}/reveal`, { reason }));
    } catch (error) {
      setRefused(wordsOf(error));
    }
  };
  const choices = REASONS.map((key) => ({ key, label: t(`reveal_reason.${key}`), onChoose: () => reveal(key) }));
  return html`<${Menu} label=${t('reveal.show')} name=${t('reveal.title')} tone="reveal" choices=${[{ heading: t('reveal.why') }, ...choices]} />
    ${refused && html`<span class="refused" role="alert">${refused}</span>`}`;
}
