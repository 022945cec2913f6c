/**
 * A button with a list of choices under it. Arrow keys move, Escape closes, and the focus goes back to the button.
 */

import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { html } from './html.js';
import { Icon } from './icons.js';

/**
 * @param {{
 *   label: any, name: string, tone?: string, shortcut?: string, id?: string,
 *   choices: ({key: string, label: any, icon?: string, tone?: string, current?: boolean, onChoose: () => void} | {heading: string})[],
 * }} props
 */
export function Menu({ label, name, tone = '', shortcut, id, choices }) {
  const [open, setOpen] = useState(false);
  const root = useRef(null);

  // Layout: the next key may come before the next frame
  useLayoutEffect(() => {
    if (!open) return undefined;
    items()[0]?.focus();
    const outside = (/** @type {Event} */ event) => root.current?.contains(event.target) || setOpen(false);
    document.addEventListener('pointerdown', outside);
    return () => document.removeEventListener('pointerdown', outside);
  }, [open]);

  const items = () => [...(root.current?.querySelectorAll('[role^=menuitem]') ?? [])];
  const close = () => {
    setOpen(false);
    root.current?.querySelector('button')?.focus();
  };

  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (!open) return;
    const all = items();
    const at = all.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      all[(to + all.length) % all.length].focus();
    } else if (event.key === 'Escape') {
      event.stopPropagation();
      event.preventDefault(); // a dialog around it stays open
      close();
    } else if (event.key === 'Tab') {
      setOpen(false);
    }
  };

  return html`<div class="menu" ref=${root} onKeyDown=${onKeyDown}>
    <button type="button" id=${id} class="menu-button ${tone}" aria-haspopup="menu" aria-expanded=${open} aria-label=${name}
      aria-keyshortcuts=${shortcut} onClick=${() => setOpen(!open)}>${label}<${Icon} name="down" size=${14} /></button>
    ${open &&
    html`<div class="menu-list" role="menu" aria-label=${name}>
      ${choices.map((choice) =>
        'heading' in choice
          ? html`<p class="menu-heading" role="presentation">${choice.heading}</p>`
          : html`<button type="button" key=${choice.key} role="menuitemradio" aria-checked=${Boolean(choice.current)} tabindex="-1"
              class=${choice.tone ?? ''} onClick=${() => (close(), choice.onChoose())}>
              ${choice.icon && html`<${Icon} name=${choice.icon} size=${16} />`}<span>${choice.label}</span>
              ${choice.current && html`<${Icon} name="check" size=${16} />`}
            </button>`,
      )}
    </div>`}
  </div>`;
}
