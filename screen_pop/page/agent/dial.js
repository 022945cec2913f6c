/** Click-to-call: the agent's own phone rings first, then the number is dialled. */

import { html } from '../lib/html.js';
import { Icon } from '../lib/icons.js';
import { t } from '../lib/locale.js';

export function Dial({ controls }) {
  const command = controls.commands.value.dial;
  const onSubmit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const to = String(new FormData(event.target).get('to')).trim();
    if (to) controls.dial(to);
  };
  return html`<form class="dial" onSubmit=${onSubmit}>
    <span class="dial-news" role="status">${command?.refusal
      ? html`<span class="bad">${command.refusal.words()}</span>`
      : command?.done ? t('dial.ringing_first') : ''}</span>
    <label class="unseen" for="dial-to">${t('dial.number')}</label>
    <input id="dial-to" name="to" type="tel" placeholder=${t('dial.number')} maxlength="40" autocomplete="off" aria-keyshortcuts="Alt+P" />
    <button class="button small" disabled=${Boolean(command?.busy)}><${Icon} name="phone" size=${16} />${t('action.dial')}</button>
  </form>`;
}
