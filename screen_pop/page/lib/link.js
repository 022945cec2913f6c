/**
 * The live link to the server (docs/protocol.md): one websocket that says hello with the last event it saw, acknowledges
 * what it gets, and comes back by itself. What goes out to the page: `welcome`, numbered events in order and once each, and
 * live states. A gap needs no work here: the server's next welcome carries a fresh snapshot.
 */

import { signal } from '@preact/signals';
import { setServerTime } from './clock.js';

const LONGEST_WAIT_MS = 15_000;
const FIRST_WAIT_MS = 500;
/** After so long a silence the link is tried: a dead network tells nobody. */
const SILENCE_MS = 30_000;
const PROBE_MS = 5000;
const NOT_SIGNED_IN = 4401;
const NOT_ALLOWED = 4403;

/**
 * @typedef {{phase: 'connecting'|'live'|'down'|'refused', since: number, retryAt: number|null}} LinkStatus
 *   times in ms of this browser's clock; `since` while down is when the data stopped
 */

/**
 * @param {{
 *   onWelcome: (welcome: any) => void,
 *   onEvent: (event: any) => void,
 *   onSignedOut: () => void,
 * }} page
 */
export function openLink({ onWelcome, onEvent, onSignedOut }) {
  /** @type {import('@preact/signals').Signal<LinkStatus>} */
  const status = signal({ phase: 'connecting', since: Date.now(), retryAt: null });
  /** @type {WebSocket|null} */
  let socket = null;
  let lastEventId = 0;
  let attempts = 0;
  let heardAt = Date.now();
  let retryTimer = 0;

  function connect() {
    clearTimeout(retryTimer);
    if (status.value.phase === 'refused') return;
    const url = new URL('/ws', location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    const mine = new WebSocket(url, 'cti.v1');
    socket = mine;
    mine.onopen = () => mine.send(JSON.stringify({ type: 'hello', last_event_id: lastEventId }));
    mine.onmessage = ({ data }) => {
      if (mine === socket) receive(JSON.parse(data));
    };
    mine.onclose = ({ code }) => {
      if (mine === socket) closed(code);
    };
  }

  /** @param {any} message */
  function receive(message) {
    heardAt = Date.now();
    if (message.type === 'welcome') {
      attempts = 0;
      setServerTime(message.at);
      status.value = { phase: 'live', since: Date.now(), retryAt: null };
      if (!message.resumed) lastEventId = message.event_id;
      onWelcome(message);
    } else if (message.id === undefined) {
      onEvent(message);
    } else if (message.id > lastEventId) {
      lastEventId = message.id;
      onEvent(message);
      send({ type: 'ack', id: message.id });
    }
  }

  /** @param {number} code */
  function closed(code) {
    socket = null;
    if (code === NOT_SIGNED_IN) return onSignedOut();
    const since = status.value.phase === 'live' ? heardAt : status.value.since;
    if (code === NOT_ALLOWED) {
      status.value = { phase: 'refused', since, retryAt: null };
      return;
    }
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempts);
    attempts += 1;
    const wait = longest * (0.5 + Math.random() / 2);
    status.value = { phase: 'down', since, retryAt: Date.now() + wait };
    retryTimer = setTimeout(connect, wait);
  }

  /** @param {object} message */
  function send(message) {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  }

  function retryNow() {
    if (socket === null) connect();
  }

  /** Leaves a socket that may be dead without waiting for its close. */
  function abandon() {
    const dead = socket;
    if (dead === null) return;
    closed(0);
    dead.close();
    connect();
  }

  async function probe() {
    if (socket?.readyState !== WebSocket.OPEN || Date.now() - heardAt < SILENCE_MS) return;
    const tried = socket;
    const answered = await fetch('/healthz', { cache: 'no-store', signal: AbortSignal.timeout(PROBE_MS) }).then(
      () => true,
      () => false,
    );
    if (answered) heardAt = Math.max(heardAt, Date.now());
    else if (tried === socket) abandon();
  }

  addEventListener('online', () => (socket === null ? connect() : abandon()));
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) return;
    retryNow();
    probe();
  });
  setInterval(probe, SILENCE_MS);
  connect();
  return { status, send, retryNow };
}
