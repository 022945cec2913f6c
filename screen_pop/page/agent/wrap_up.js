/**
 * Notes and dispositions that are never lost: each change is kept in this tab at once and sent to the server shortly after;
 * 'saved' is said only when the server has answered. What could not be sent is tried again until it is.
 */

import { signal } from '@preact/signals';
import { ofCall, Refusal, request } from '../lib/rest.js';
import { serverTime } from '../lib/clock.js';

const PAUSE_MS = 700;
const RETRY_MS = [2000, 5000, 15_000];
const KEY = 'cti.draft.';

/**
 * @typedef {{disposition?: string|null, note?: string|null, account_id?: string, satisfaction?: number|null}} Fields
 * @typedef {{fields: Fields, state: 'clean'|'unsaved'|'saving'|'saved'|'failed', savedAt: number|null, refusal: Refusal|null}} Draft
 */

/** The drafts of this tab, one for each call. @param {{onSaved: (callId: string, interaction: any) => void}} given */
export function openDrafts({ onSaved }) {
  /** @type {Map<string, ReturnType<typeof openDraft>>} */
  const drafts = new Map();
  return {
    /** @param {string} callId */
    of(callId) {
      let draft = drafts.get(callId);
      if (!draft) {
        draft = openDraft(callId, (interaction) => onSaved(callId, interaction));
        drafts.set(callId, draft);
      }
      return draft;
    },
    /** Sends what is left when the page goes away. */
    flushAll: () => drafts.forEach((draft) => draft.flush({ keepalive: true })),
  };
}

/** @param {string} callId @param {(interaction: any) => void} onSaved */
function openDraft(callId, onSaved) {
  const kept = restored(callId);
  /** What the server does not have yet. @type {Fields} */
  let unsent = kept;
  let timer = 0;
  let failures = 0;
  let heldBack = true;
  /** @type {Promise<boolean>|null} */
  let sending = null;
  /** @type {import('@preact/signals').Signal<Draft>} */
  const draft = signal({
    fields: kept, state: Object.keys(kept).length ? 'unsaved' : 'clean', savedAt: null, refusal: null,
  });

  /** @param {Fields} changes */
  function change(changes) {
    unsent = { ...unsent, ...changes };
    keep(callId, unsent);
    draft.value = { ...draft.value, fields: { ...draft.value.fields, ...changes }, state: 'unsaved', refusal: null };
    schedule(PAUSE_MS);
  }

  /** @param {number} wait */
  function schedule(wait) {
    clearTimeout(timer);
    if (!heldBack) timer = setTimeout(flush, wait);
  }

  /** While the phone still rings the server has no record to write to. @param {boolean} held */
  function holdBack(held) {
    if (heldBack === held) return;
    heldBack = held;
    if (!held && Object.keys(unsent).length) schedule(0);
  }

  /** Sends what is unsent; true when the server has everything. @returns {Promise<boolean>} */
  async function flush({ keepalive = false } = {}) {
    clearTimeout(timer);
    if (sending) await sending;
    if (!Object.keys(unsent).length) return true;
    if (heldBack) return false;
    sending = send(keepalive);
    const done = await sending;
    sending = null;
    return done;
  }

  /** @param {boolean} keepalive */
  async function send(keepalive) {
    const sent = unsent;
    unsent = {};
    draft.value = { ...draft.value, state: 'saving', refusal: null };
    try {
      const interaction = await request('PATCH', ofCall(callId, 'wrap-up'), sent, { keepalive });
      failures = 0;
      keep(callId, unsent);
      const more = Object.keys(unsent).length > 0;
      draft.value = { ...draft.value, state: more ? 'unsaved' : 'saved', savedAt: serverTime() };
      if (interaction) onSaved(interaction);
      return !more;
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      unsent = { ...sent, ...unsent };
      draft.value = { ...draft.value, state: 'failed', refusal };
      if (refusal.status === 0 || refusal.status >= 500 || refusal.status === 429) {
        timer = setTimeout(flush, RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]);
      }
      failures += 1;
      return false;
    }
  }

  return { draft, change, flush, holdBack };
}

/** @param {string} callId @returns {Fields} */
function restored(callId) {
  try {
    return JSON.parse(sessionStorage.getItem(KEY + callId) ?? '{}');
  } catch {
    return {};
  }
}

/** @param {string} callId @param {Fields} unsent */
function keep(callId, unsent) {
  try {
    if (Object.keys(unsent).length) sessionStorage.setItem(KEY + callId, JSON.stringify(unsent));
    else sessionStorage.removeItem(KEY + callId);
  } catch {
    // storage is blocked: the server's copy is the only one
  }
}
