/**
 * What the agent can do to calls and to the own state. Each command goes out once; a refusal is kept beside the call it
 * was for, in plain words, until the next command.
 */

import { signal } from '@preact/signals';
import { html } from '../lib/html.js';
import { Icon } from '../lib/icons.js';
import { t } from '../lib/locale.js';
import { ofCall, Refusal, request } from '../lib/rest.js';

/** @typedef {{what: string, serial: number, busy: boolean, refusal: Refusal|null, done: boolean}} Command */

/** @param {{desk: ReturnType<typeof import('./desk.js').openDesk>, drafts: ReturnType<typeof import('./wrap_up.js').openDrafts>}} given */
export function openControls({ desk, drafts }) {
  /** The last command for each call, for 'state' and for 'dial'. @type {import('@preact/signals').Signal<Record<string, Command>>} */
  const commands = signal({});

  /** @param {string} place @param {string} what @param {() => Promise<any>} send @returns {Promise<boolean>} */
  async function run(place, what, send) {
    const before = commands.value[place];
    if (before?.busy && before.what === what) return false;
    const serial = (before?.serial ?? 0) + 1;
    const tell = (/** @type {Partial<Command>} */ news) => {
      if ((commands.value[place]?.serial ?? 0) > serial) return; // a newer command has the word
      commands.value = { ...commands.value, [place]: { what, serial, busy: false, refusal: null, done: false, ...news } };
    };
    tell({ busy: true });
    try {
      await send();
      tell({ done: true });
      return true;
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      tell({ refusal });
      return false;
    }
  }

  const onCall = (/** @type {string} */ callId, /** @type {string} */ what, /** @type {object} */ body) =>
    run(callId, what, () => request('POST', ofCall(callId, what), body));
  const first = (/** @type {string[]} */ phases) => desk.current.value.find(({ phase }) => phases.includes(phase));

  const self = {
    commands,
    answer: (/** @type {string} */ callId) => onCall(callId, 'answer'),
    hangUp: (/** @type {string} */ callId) => onCall(callId, 'hangup'),
    hold: (/** @type {string} */ callId) => onCall(callId, 'hold'),
    resume: (/** @type {string} */ callId) => onCall(callId, 'resume'),
    transfer: (/** @type {string} */ callId, /** @type {string} */ to) => onCall(callId, 'transfer', { to }),
    dial: (/** @type {string} */ to) => run('dial', 'dial', () => request('POST', '/calls', { to })),
    setState: (/** @type {string} */ status, /** @type {string} */ reason) =>
      run('state', 'state', () =>
        request('PUT', `/agents/${encodeURIComponent(desk.extension)}/state`, { status, ...(reason ? { reason } : {}) }),
      ),
    /** Saves the wrap-up; only when the server has it, the agent is ready again and the card closes. */
    async finish(/** @type {string} */ callId, { ready = true } = {}) {
      if (!(await drafts.of(callId).flush())) return;
      if (ready && !(await self.setState('ready', ''))) return;
      desk.finish(callId);
    },
    answerFirst: () => withCall(first(['ringing']), self.answer),
    rejectFirst: () => withCall(first(['ringing']), self.hangUp),
    hangUpTalking: () => withCall(first(['talking', 'held']), self.hangUp),
    holdOrResume() {
      const card = first(['talking', 'held']);
      if (card) (card.phase === 'held' ? self.resume : self.hold)(card.callId);
    },
  };
  return self;
}

/** @param {{callId: string}|undefined} card @param {(callId: string) => void} act */
function withCall(card, act) {
  if (card) act(card.callId);
}

/** Whether a command could not get to the call's PBX now. @param {{call: any}} card @param {any} workplace @returns {boolean} */
export function outOfReach({ call }, { link, desk }) {
  const away = desk.pbxLinks.value.some((/** @type {any} */ { name, state }) => name === call.pbx && state !== 'connected');
  return link.status.value.phase !== 'live' || away;
}

/** Answer, hold, transfer, hang up: always in the same places; what cannot be done now is off. */
export function ControlRow({ card, workplace }) {
  const { controls } = workplace;
  const { phase, callId } = card;
  const command = controls.commands.value[callId];
  const unreachable = outOfReach(card, workplace);
  const talking = phase === 'talking' || phase === 'held';
  const onTransfer = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const to = String(new FormData(event.target).get('to')).trim();
    if (to) controls.transfer(callId, to);
  };
  return html`<div class="controls" role="group" aria-label=${t('controls.title')}>
    ${phase === 'ringing'
      ? html`<button type="button" class="button answer" disabled=${unreachable} aria-keyshortcuts="Alt+A" onClick=${() => controls.answer(callId)}>
          <${Icon} name="phone" />${t('action.answer')}<kbd>Alt A</kbd></button>`
      : html`<button type="button" class="button hold" disabled=${unreachable || !talking} aria-keyshortcuts="Alt+H"
          onClick=${() => (phase === 'held' ? controls.resume : controls.hold)(callId)}>
          <${Icon} name=${phase === 'held' ? 'resume' : 'hold'} />${t(phase === 'held' ? 'action.resume' : 'action.hold')}<kbd>Alt H</kbd></button>`}
    <button type="button" class="button hang-up" disabled=${unreachable || !(talking || phase === 'ringing')}
      aria-keyshortcuts=${phase === 'ringing' ? 'Alt+R' : 'Alt+U'} onClick=${() => controls.hangUp(callId)}>
      <${Icon} name="hangUp" />${t(phase === 'ringing' ? 'action.reject' : 'action.hang_up')}<kbd>${phase === 'ringing' ? 'Alt R' : 'Alt U'}</kbd></button>
    <form class="transfer" onSubmit=${onTransfer}>
      <label class="unseen" for="transfer-to">${t('transfer.to')}</label>
      <input id="transfer-to" name="to" placeholder=${t('transfer.to')} maxlength="40" autocomplete="off" inputmode="tel"
        disabled=${!talking} aria-keyshortcuts="Alt+T" />
      <button class="button" disabled=${unreachable || !talking}><${Icon} name="transfer" />${t('action.transfer')}</button>
    </form>
    <p class="command-news" role="status">${commandNews(command, unreachable && phase !== 'wrap_up')}</p>
  </div>`;
}

/** @param {Command|undefined} command @param {boolean} unreachable */
function commandNews(command, unreachable) {
  if (unreachable) return html`<${Icon} name="info" size=${16} /> ${t('controls.unreachable')}`;
  if (command?.busy) return t('controls.sent');
  if (command?.refusal) return html`<span class="bad"><${Icon} name="warning" size=${16} /> ${command.refusal.words()}</span>`;
  return '';
}
