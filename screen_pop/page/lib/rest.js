/**
 * Requests to /api/v1. A refusal is a `Refusal` that can say itself in the reader's words; a session that is over leads to
 * the sign-in page.
 */

import { t, tOr } from './locale.js';
import { shown } from './hostile.js';

const TIMEOUT_MS = 10_000;

export class Refusal extends Error {
  /**
   * @param {number} status 0 where the server did not answer
   * @param {string} kind the problem's stable name, as 'not-in-this-call'
   * @param {string} detail the server's own words
   * @param {{at: string, message: string}[]} errors the fields that were wrong
   */
  constructor(status, kind, detail, errors = []) {
    super(detail);
    this.status = status;
    this.kind = kind;
    this.detail = detail;
    this.errors = errors;
  }

  /** Why, in the reader's language where the kind is known, else in the server's words. */
  words() {
    const own = [this.detail, ...this.errors.map((error) => `${error.at}: ${error.message}`)].filter(Boolean).join(' · ');
    return tOr(`problem.${this.kind}`, shown(own, 300) || t('problem.unknown', { status: this.status }));
  }
}

/**
 * @param {string} method
 * @param {string} path below /api/v1
 * @param {object} [body]
 * @returns {Promise<any>} the answer's JSON, null where it has none
 * @throws {Refusal}
 */
export async function request(method, path, body, { keepalive = false } = {}) {
  let answer;
  try {
    answer = await fetch(`/api/v1${path}`, {
      method,
      keepalive,
      headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (error) {
    throw new Refusal(0, error.name === 'TimeoutError' ? 'timed-out' : 'unreachable', String(error.message));
  }
  const json = await answer.json().catch(() => null);
  if (answer.ok) return json;
  if (answer.status === 401 && !(method === 'POST' && path === '/session')) toSignIn();
  const kind = String(json?.type ?? '').replace('urn:cti-bridge:problem:', '');
  throw new Refusal(answer.status, kind, json?.detail ?? json?.title ?? '', json?.errors ?? []);
}

/** The path of a call and what to do with it. @param {string} callId @param {string} [what] */
export const ofCall = (callId, what) => `/calls/${encodeURIComponent(callId)}${what ? `/${what}` : ''}`;

export function toSignIn() {
  location.assign('/login');
}

/** Any error as words for the reader: what is not a refusal is a fault of the page and is thrown on. @param {unknown} error */
export function wordsOf(error) {
  if (error instanceof Refusal) return error.words();
  throw error;
}
