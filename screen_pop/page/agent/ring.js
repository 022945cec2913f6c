/**
 * How a ringing call makes itself known outside the card: a soft tone, the window's title, a notification. Of several tabs
 * of one agent only one does it: the one that holds the lock.
 */

import { t } from '../lib/locale.js';
import { preferences } from '../lib/preferences.js';

const TONE_EVERY_MS = 3000;

export function openRinger() {
  /** @type {AudioContext|null} */
  let audio = null;
  let leading = !navigator.locks;
  let timer = 0;
  /** @type {Map<string, Notification>} */
  const notices = new Map();

  // Held until the tab closes; a page that holds a lock is not frozen either
  navigator.locks?.request('cti.ring', () => {
    leading = true;
    return new Promise(() => {});
  });

  function tone() {
    if (!audio || !leading || preferences.value.sound === false) return;
    const start = audio.currentTime;
    for (const [offset, pitch] of [[0, 660], [0.18, 880]]) {
      const [voice, volume] = [audio.createOscillator(), audio.createGain()];
      voice.frequency.value = pitch;
      volume.gain.setValueAtTime(0, start + offset);
      volume.gain.linearRampToValueAtTime(0.12, start + offset + 0.03);
      volume.gain.exponentialRampToValueAtTime(0.001, start + offset + 0.4);
      voice.connect(volume).connect(audio.destination);
      voice.start(start + offset);
      voice.stop(start + offset + 0.45);
    }
  }

  return {
    /** After a click: browsers allow sound and ask for notifications only then. */
    async allow() {
      audio ??= new AudioContext();
      await audio.resume();
      if ('Notification' in window && Notification.permission === 'default') await Notification.requestPermission();
    },
    sound: () => audio?.state === 'running',
    notifications: () => ('Notification' in window ? Notification.permission : 'denied'),

    /** @param {string} callId @param {string} title @param {string} body */
    notify(callId, title, body) {
      if (!leading || !('Notification' in window) || Notification.permission !== 'granted' || document.hasFocus()) return;
      const notice = new Notification(title, { body, tag: callId, silent: true });
      notice.onclick = () => (window.focus(), notice.close());
      notices.set(callId, notice);
    },

    /** Makes sound and title fit what rings now. @param {{callId: string, name: string, queue: string}[]} ringing */
    follow(ringing) {
      for (const [callId, notice] of notices) {
        if (ringing.some((call) => call.callId === callId)) continue;
        notice.close();
        notices.delete(callId);
      }
      document.title = ringing.length ? `☎ ${[ringing[0].name, ringing[0].queue].filter(Boolean).join(' · ')}` : `${t('agent.title')} · cti-bridge`;
      if (ringing.length && !timer) {
        tone();
        timer = setInterval(tone, TONE_EVERY_MS);
      } else if (!ringing.length) {
        clearInterval(timer);
        timer = 0;
      }
    },
  };
}
