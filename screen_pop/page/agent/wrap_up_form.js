/** Note and disposition of a call: open while talking, after it, and later from the list; each change saves itself. */

import { html } from '../lib/html.js';
import { timeOfDay } from '../lib/format.js';
import { Icon } from '../lib/icons.js';
import { shown } from '../lib/hostile.js';
import { t } from '../lib/locale.js';
import { SatisfactionField } from './satisfaction_field.js';

/** The codes that go to the server; another code that stands on a record is shown as it is. */
const DISPOSITIONS = ['resolved', 'information', 'call_back', 'complaint', 'sale', 'wrong_number'];

/** @param {string} code */
export const dispositionWords = (code) => (DISPOSITIONS.includes(code) ? t(`disposition.${code}`) : shown(code, 40));

/** @param {{card: import('./desk.js').Card, workplace: any}} props */
export function WrapUpForm({ card, workplace }) {
  const { drafts, controls } = workplace;
  const { callId, phase, interaction } = card;
  const { draft, change } = drafts.of(callId);
  const { fields, state } = draft.value;
  const note = fields.note ?? interaction?.note ?? '';
  const disposition = fields.disposition ?? interaction?.disposition ?? '';
  const score = 'satisfaction' in fields ? fields.satisfaction : interaction?.satisfaction?.score ?? null;
  const early = phase === 'ringing';
  const codes = disposition && !DISPOSITIONS.includes(disposition) ? [...DISPOSITIONS, disposition] : DISPOSITIONS;

  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === 'Enter' && event.ctrlKey && !event.isComposing && phase === 'wrap_up') {
      event.preventDefault();
      controls.finish(callId);
      return;
    }
    const place = Number(/^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1]);
    if (place && place <= codes.length && event.target instanceof Element && event.target.closest('.dispositions')) {
      event.preventDefault();
      change({ disposition: codes[place - 1] });
    }
  };

  return html`<section class="wrap-up" aria-label=${t('wrap_up.title')} onKeyDown=${onKeyDown}>
    <div class="wrap-up-head">
      <label for="note">${t('wrap_up.note')}</label>
      <${SavedState} draft=${draft.value} early=${early} />
    </div>
    <textarea id="note" rows="3" maxlength="4000" aria-keyshortcuts="Alt+N" placeholder=${t('wrap_up.note_hint')} value=${note}
      onInput=${(/** @type {any} */ event) => change({ note: event.target.value })}></textarea>
    <fieldset class="pills dispositions">
      <legend>${t('wrap_up.disposition')}</legend>
      ${codes.map((code, index) => html`<label key=${code}><input type="radio" name="disposition" value=${code} checked=${disposition === code}
        onChange=${() => change({ disposition: code })} /><span><i aria-hidden="true">${index + 1}</i>${dispositionWords(code)}</span></label>`)}
    </fieldset>
    ${!early && html`<${SatisfactionField} score=${score} stored=${interaction?.satisfaction} onChange=${(/** @type {number|null} */ one) => change({ satisfaction: one })} />`}
    ${phase === 'wrap_up' && html`<div class="wrap-up-actions">
      <button type="button" class="button primary" disabled=${state === 'saving'} onClick=${() => controls.finish(callId)}>
        <${Icon} name="check" />${t('wrap_up.save_ready')}<kbd>Ctrl Enter</kbd></button>
      <button type="button" class="button" disabled=${state === 'saving'} onClick=${() => controls.finish(callId, { ready: false })}>${t('wrap_up.save_only')}</button>
    </div>`}
  </section>`;
}

/** What became of the last change; 'saved' only when the server said so. */
function SavedState({ draft, early }) {
  const { state, savedAt, refusal } = draft;
  if (early) return html`<span class="saved-state quiet">${t(state === 'clean' ? 'saved.early' : 'saved.early_kept')}</span>`;
  const tones = { clean: '', unsaved: 'quiet', saving: 'quiet', saved: 'good', failed: 'bad' };
  const words = {
    clean: () => '',
    unsaved: () => t('saved.unsaved'),
    saving: () => t('saved.saving'),
    saved: () => t('saved.saved', { time: timeOfDay(savedAt, { seconds: true }) }),
    failed: () => t('saved.failed', { why: refusal.words() }),
  }[state]();
  return html`<span class=${`saved-state ${tones[state]}`} data-state=${state}>
    ${state === 'saved' && html`<${Icon} name="check" size=${16} />`}${state === 'failed' && html`<${Icon} name="warning" size=${16} />`}${words}</span>`;
}
