/** The store's records that the desk shows: past calls and accounts. */

import { request } from '../lib/rest.js';
import { endingOf } from './desk.js';

const RECENT = 12;

/** @typedef {ReturnType<typeof import('./desk.js').openDesk>} Desk */

/**
 * Fills the list of past calls from the store, newest first, and opens the call whose wrap-up is still on after a reload.
 * @param {Desk} desk
 */
export async function loadRecent(desk) {
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
  if (!past.account || desk.cards.value.get(past.callId)?.phase !== 'past') return;
  const { items } = await timelineOf(past.account.account_id);
  desk.change(past.callId, { history: items });
}

/** @param {(string|null)[]} ids @returns {Promise<Map<string, any>>} */
async function accountsOf(ids) {
  const wanted = [...new Set(ids.filter((id) => id !== null))];
  const found = await Promise.all(wanted.map((id) => request('GET', `/accounts/${encodeURIComponent(String(id))}`)));
  return new Map(found.map((account) => [account.account_id, account]));
}

/** @param {string} accountId @param {string|null} cursor */
export function timelineOf(accountId, cursor = null) {
  const query = new URLSearchParams({ limit: '20', ...(cursor ? { cursor } : {}) });
  return request('GET', `/accounts/${encodeURIComponent(accountId)}/timeline?${query}`);
}

/** @param {{name: string, company?: string, phone: string|null}} given */
export function createAccount({ name, company, phone }) {
  return request('POST', '/accounts', {
    name,
    ...(company ? { company } : {}),
    ...(phone ? { contact_points: [{ kind: 'phone', value: phone }] } : {}),
  });
}
