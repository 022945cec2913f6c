/** A figure's name that explains itself: the formula opens on hover, focus or touch, and Escape closes it. */

import { useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { NOTHING } from '../lib/format.js';
import { t } from '../lib/locale.js';

let made = 0;

/** @param {{name: string, values?: Record<string, any>}} props `name` is a key below `figure.` and `formula.` */
export function FigureName({ name, values = {} }) {
  const [id] = useState(() => `formula-${(made += 1)}`);
  const [closed, setClosed] = useState(false);
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => event.key === 'Escape' && setClosed(true);
  return html`<span class=${`figure-name ${closed ? 'closed' : ''}`} onMouseLeave=${() => setClosed(false)}>
    <button type="button" aria-describedby=${id} onKeyDown=${onKeyDown} onBlur=${() => setClosed(false)}>${t(`figure.${name}`)}</button>
    <span role="tooltip" id=${id}>${t(`formula.${name}`, values)}</span>
  </span>`;
}

/** What a figure shows when the data is too old to mean anything. @param {{state: string}} fresh @param {any} value */
export const honest = (fresh, value) => (fresh.state === 'gone' ? NOTHING : value);
