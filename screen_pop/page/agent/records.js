/** The store's records that the desk shows: past calls and accounts. */

import { Refusal, request } from '../lib/rest.js';
import { endingOf } from './desk.js';

const RECENT = 12;

/** @typedef {ReturnType<typeof import('./desk.js').openDesk>} Desk */

/**
 * Fills the list of past calls from the store, newest first, and opens the call whose wrap-up is still on after a reload.
 * @param {Desk} desk
 */
export const loadRecent = (desk) => telling(desk, () => fillRecent(desk));

/** Does something with the store's records; a refusal is told on the desk. @param {Desk} desk @param {() => Promise<void>} get */
async function telling(desk, get) {
  try {
    await get();
    desk.recordsRefused.value = null;
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    desk.recordsRefused.value = refusal;
  }
}

/** @param {Desk} desk */
async function fillRecent(desk) {
  const query = new URLSearchParams({ agent: desk.extension, channel: 'phone', limit: String(RECENT) });
  const { items } = await request('GET', `/interactions?${query}`);
  const accounts = await accountsOf(items.map((/** @type {any} */ one) => one.account_id));
  for (const interaction of items.toReversed()) {
    if (!interaction.call) continue;
    desk.remember({
      callId: interaction.call_id,
      at: interaction.started_at,
      ending: endingOf(interaction.call, desk.extension),
      call: interaction.call,
      account: accounts.get(interaction.account_id) ?? null,
      interaction,
    });
  }
  const { activity, call_id: callId } = desk.agent.value ?? {};
  const unfinished = desk.recent.value.find((past) => past.callId === callId);
  if (activity === 'wrap_up' && unfinished && desk.opened.value === null) await openRecord(desk, unfinished);
}

/**
 * Opens a past call with its account's other contacts.
 * @param {Desk} desk
 * @param {import('./desk.js').Past} past
 */
export async function openRecord(desk, past) {
  desk.openPast(past);
  if (past.account && desk.cards.value.get(past.callId)?.phase === 'past') await loadHistory(desk, past.callId, past.account.account_id);
}

/**
 * Puts an account's contacts beside a call.
 * @param {Desk} desk @param {string} callId @param {string} accountId
 */
export function loadHistory(desk, callId, accountId) {
  return telling(desk, async () => {
    const { items } = await timelineOf(accountId);
    desk.change(callId, { history: items });
  });
}

/** @param {(string|null)[]} ids @returns {Promise<Map<string, any>>} */
async function accountsOf(ids) {
  const wanted = [...new Set(ids.filter((id) => id !== null))];
  const found = await Promise.allSettled(wanted.map((id) => request('GET', `/accounts/${encodeURIComponent(String(id))}`)));
  // An account that is gone (merged, erased) leaves its calls in the list, under the caller's own name
  return new Map(found.flatMap((one) => (one.status === 'fulfilled' ? [[one.value.account_id, one.value]] : [])));
}

/** @param {string} accountId @param {string|null} cursor */
export function timelineOf(accountId, cursor = null) {
  const query = new URLSearchParams({ limit: '20', ...(cursor ? { cursor } : {}) });
  return request('GET', `/accounts/${encodeURIComponent(accountId)}/timeline?${query}`);
}
