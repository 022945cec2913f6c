/** The agent's desktop: joins the live link, the desk's memory, the ringer and the keyboard to the page. */

import { effect } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { announceRing } from '../lib/announce.js';
import { callerName, callerNumber } from '../lib/format.js';
import { shown } from '../lib/hostile.js';
import { KeyboardHelp, listenToKeys } from '../lib/keyboard.js';
import { openLink } from '../lib/link.js';
import { t } from '../lib/locale.js';
import { toSignIn } from '../lib/rest.js';
import { ConnectionBanner, freshness, startPage } from '../lib/shell.js';
import { CallCard } from './call_card.js';
import { CallList } from './call_list.js';
import { openControls } from './controls.js';
import { openDesk } from './desk.js';
import { Elsewhere } from './elsewhere.js';
import { QueueStrip } from './queue_strip.js';
import { loadRecent } from './records.js';
import { openRinger } from './ring.js';
import { StartShift } from './start_shift.js';
import { StatusBar } from './status_bar.js';
import { Timeline } from './timeline.js';
import { openDrafts } from './wrap_up.js';

/** @param {any} user */
function openWorkplace(user) {
  const ringer = openRinger();
  const desk = openDesk({
    extension: user.extension,
    onShown: (popId) => link.send({ type: 'shown', pop_id: popId }),
    onRing(card) {
      const name = callerName(card.call, card.account);
      const queue = shown(card.call.queue, 40);
      const tier = card.account?.tier ? t(`tier.${card.account.tier}`) : '';
      announceRing(t('ring.announce', { who: [name, tier, queue].filter(Boolean).join(', ') }));
      ringer.notify(card.callId, t('ring.announce', { who: name }), [callerNumber(card.call), queue].filter(Boolean).join(' · '));
    },
  });
  const drafts = openDrafts({ onSaved: (callId, interaction) => desk.change(callId, { interaction }) });
  desk.whileWriting(() => document.activeElement?.closest('.call-card :is(textarea, input)') != null);
  const link = openLink({
    onSignedOut: toSignIn,
    onEvent: desk.takeEvent,
    onWelcome(welcome) {
      desk.takeWelcome(welcome);
      if (!welcome.resumed) loadRecent(desk);
    },
  });
  const controls = openControls({ desk, drafts });

  effect(() => {
    for (const card of desk.cards.value.values()) drafts.of(card.callId).holdBack(card.phase === 'ringing');
    ringer.follow(
      desk.current.value
        .filter(({ phase }) => phase === 'ringing')
        .map(({ callId, call, account }) => ({ callId, name: callerName(call, account), queue: shown(call.queue, 40) })),
    );
  });
  addEventListener('pagehide', drafts.flushAll);
  return { user, ringer, desk, drafts, link, controls };
}

/** @param {string} id */
const focusOn = (id) => document.getElementById(id)?.focus();

/** @param {{workplace: ReturnType<typeof openWorkplace>}} props */
function Desktop({ workplace }) {
  const { desk, link, controls } = workplace;
  const [help, setHelp] = useState(false);
  const shortcuts = [
    { code: 'KeyA', shown: 'Alt A', label: 'keys.answer', once: true, run: () => controls.answerFirst() },
    { code: 'KeyR', shown: 'Alt R', label: 'keys.reject', once: true, run: () => controls.rejectFirst() },
    { code: 'KeyH', shown: 'Alt H', label: 'keys.hold', once: true, run: () => controls.holdOrResume() },
    { code: 'KeyU', shown: 'Alt U', label: 'keys.hang_up', once: true, run: () => controls.hangUpTalking() },
    { code: 'KeyT', shown: 'Alt T', label: 'keys.transfer', run: () => focusOn('transfer-to') },
    { code: 'KeyN', shown: 'Alt N', label: 'keys.note', run: () => focusOn('note') },
    { code: 'KeyO', shown: 'Alt O', label: 'keys.disposition', run: () => document.querySelector('.dispositions input')?.focus() },
    { code: 'KeyC', shown: 'Alt C', label: 'keys.find', run: () => (document.getElementById('find-account') ? focusOn('find-account') : document.getElementById('find-account-open')?.click()) },
    { code: 'KeyS', shown: 'Alt S', label: 'keys.status', run: () => document.getElementById('status-menu')?.click() },
    { code: 'KeyP', shown: 'Alt P', label: 'keys.dial', run: () => focusOn('dial-to') },
  ];
  useEffect(() => listenToKeys(shortcuts, () => setHelp(true)), []);

  const card = desk.card.value;
  const fresh = freshness(link.status.value, desk.pbxLinks.value);
  return html`
    <nav class="skips" aria-label=${t('skip.title')}>
      <a href="#call">${t('skip.call')}</a><a href="#note">${t('skip.note')}</a><a href="#context">${t('skip.context')}</a>
    </nav>
    <${StatusBar} workplace=${workplace} onHelp=${() => setHelp(true)} />
    <${ConnectionBanner} link=${link} pbxLinks=${desk.pbxLinks.value} calm=${t('link.calm_agent')} />
    <${QueueStrip} queues=${desk.queues.value} fresh=${fresh} controls=${controls} />
    <div class="desk">
      <${CallList} workplace=${workplace} />
      <main id="call" class="stage" tabindex="-1">
        ${card ? html`<${CallCard} key=${card.callId} card=${card} workplace=${workplace} />` : html`<${StartShift} workplace=${workplace} />`}
      </main>
      <aside id="context" class="context" tabindex="-1" aria-label=${t('timeline.title')}>
        ${card && html`<${Elsewhere} key=${card.callId} card=${card} workplace=${workplace} />`}
        <${Timeline} key=${card?.account?.account_id ?? 'none'} card=${card} />
      </aside>
    </div>
    ${help && html`<${KeyboardHelp} shortcuts=${shortcuts} onClose=${() => setHelp(false)} />`}
  `;
}

startPage('agent', (user) => html`<${Desktop} workplace=${openWorkplace(user)} />`);
