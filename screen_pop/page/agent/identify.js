/** What the agent says about who is calling, sent to the service; its answer is what the card shows from then on. */

import { ofCall, Refusal, request } from '../lib/rest.js';
import { loadHistory } from './records.js';

/** @typedef {{desk: ReturnType<typeof import('./desk.js').openDesk>, drafts: any}} Place */
/** @typedef {import('./desk.js').Card} Card */

/**
 * Says who it is; null: none of those proposed. With the store away, the choice waits with the notes and is sent with them.
 * @param {Place} place @param {Card} card @param {any|null} account
 */
export async function choose({ desk, drafts }, { callId }, account) {
  try {
    take(desk, callId, await request('PUT', ofCall(callId, 'account'), { account_id: account?.account_id ?? null }));
  } catch (error) {
    const isAway = error instanceof Refusal && (error.status === 0 || error.status >= 500);
    if (!isAway || !account) throw error;
    desk.change(callId, { account, history: [], commitments: null });
    drafts.of(callId).change({ account_id: account.account_id });
    await loadHistory(desk, callId, account.account_id);
  }
}

/** Takes the choice back. @param {Place} place @param {Card} card */
export async function undoChoice({ desk }, { callId }) {
  take(desk, callId, await request('DELETE', ofCall(callId, 'account')));
}

/** Makes an account of the caller that is named later. @param {Place} place @param {Card} card */
export async function addProvisional({ desk }, { callId }) {
  take(desk, callId, await request('POST', ofCall(callId, 'account')));
}

/** Makes an account of the one customer whom another system knows. @param {Place} place @param {Card} card @param {string} source */
export async function addExternal({ desk }, { callId }, source) {
  take(desk, callId, await request('POST', ofCall(callId, 'account'), { source }));
}

/** @param {Place} place @param {Card} card @param {{name: string, company: string}} fields */
export async function nameAccount({ desk }, { callId, account }, { name, company }) {
  const changes = { name, ...(company ? { company } : {}) };
  desk.change(callId, { account: await request('PATCH', `/accounts/${encodeURIComponent(account.account_id)}`, changes) });
}

/** @param {{name: string, company?: string, phone: string|null}} given @returns {Promise<any>} the account */
export function createAccount({ name, company, phone }) {
  return request('POST', '/accounts', {
    name,
    ...(company ? { company } : {}),
    ...(phone ? { contact_points: [{ kind: 'phone', value: phone }] } : {}),
  });
}

/** @param {Place['desk']} desk @param {string} callId @param {any} answer */
function take(desk, callId, { account, candidates, history, commitments, chosen }) {
  desk.change(callId, { account, candidates, history, commitments, chosen });
}
