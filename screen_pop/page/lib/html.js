/**
 * The one template tag: `html` builds Preact elements, so every value lands in the page as text, never as markup.
 */

import { h, render } from 'preact';
import htm from 'htm';

export const html = htm.bind(h);
export { render };
