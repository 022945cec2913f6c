/**
 * Keyboard commands: Alt and a letter by its place on the keyboard (`event.code`), so that they work with a Chinese input
 * method on. Never while a word is being composed; commands that end something act once a second at most.
 */

import { html } from './html.js';
import { t } from './locale.js';
import { useEffect, useRef } from 'preact/hooks';

const THROTTLE_MS = 1000;

/** @typedef {{code: string, shown: string, label: string, once?: boolean, run: () => void}} Shortcut */

/**
 * @param {Shortcut[]} shortcuts `label` is a key of the catalogue
 * @param {() => void} onHelp
 */
export function listenToKeys(shortcuts, onHelp) {
  /** @type {Map<string, number>} */
  const last = new Map();
  document.addEventListener('keydown', (event) => {
    if (event.isComposing || event.keyCode === 229) return;
    const inField = event.target instanceof Element && event.target.closest('input, textarea, select') !== null;
    if ((event.key === '?' && !inField) || (event.ctrlKey && event.code === 'Slash')) {
      event.preventDefault();
      onHelp();
      return;
    }
    if (!event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const shortcut = shortcuts.find(({ code }) => code === event.code);
    if (!shortcut) return;
    event.preventDefault();
    const at = performance.now();
    if (shortcut.once && (event.repeat || at - (last.get(shortcut.code) ?? -THROTTLE_MS) < THROTTLE_MS)) return;
    last.set(shortcut.code, at);
    shortcut.run();
  });
}

/** The list of commands, made from the same table. @param {{shortcuts: Shortcut[], onClose: () => void}} props */
export function KeyboardHelp({ shortcuts, onClose }) {
  const dialog = useRef(null);
  useEffect(() => {
    const opener = document.activeElement;
    dialog.current.showModal();
    return () => opener instanceof HTMLElement && opener.focus();
  }, []);
  return html`<dialog class="dialog" ref=${dialog} onClose=${onClose} aria-labelledby="keys-title">
    <h2 id="keys-title">${t('keys.title')}</h2>
    <dl class="keys">
      ${shortcuts.map(({ shown, label }) => html`<div><dt><kbd>${shown}</kbd></dt><dd>${t(label)}</dd></div>`)}
      <div><dt><kbd>Ctrl</kbd> <kbd>Enter</kbd></dt><dd>${t('keys.save_ready')}</dd></div>
      <div><dt><kbd>?</kbd></dt><dd>${t('keys.help')}</dd></div>
    </dl>
    <form method="dialog"><button class="button">${t('action.close')}</button></form>
  </dialog>`;
}
