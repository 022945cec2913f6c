/**
 * The desk's memory: which calls stand on it and what each is to this agent. Pure steps from the server's messages to
 * signals; draws nothing, plays nothing. A pop is taken in once, however often it comes.
 */

import { batch, computed, signal } from '@preact/signals';
import { serverTime } from '../lib/clock.js';

const RECENT_KEPT = 20;

/**
 * @typedef {'ringing'|'talking'|'held'|'wrap_up'|'past'} Phase what the call is to this agent now; past = opened from the list
 * @typedef {{
 *   callId: string, phase: Phase, call: any, pop: any|null, account: any|null, candidates: any[], history: any[],
 *   commitments: {items: any[], more: number}|null, chosen: any|null, since: number, talkSince: number|null, interaction: any|null,
 * }} Card `since`: when this phase began, server ms; `commitments` null: not told
 * @typedef {'talked'|'missed'|'elsewhere'|'abandoned'} Ending
 * @typedef {{callId: string, at: string, ending: Ending, call: any, account: any|null, interaction: any|null}} Past
 */

/** @param {{extension: string, onRing?: (card: Card) => void, onShown?: (popId: string) => void}} given */
export function openDesk({ extension, onRing = () => {}, onShown = () => {} }) {
  /** @type {import('@preact/signals').Signal<Map<string, Card>>} */
  const cards = signal(new Map());
  /** @type {import('@preact/signals').Signal<Past[]>} */
  const recent = signal([]);
  /** @type {import('@preact/signals').Signal<string|null>} */
  const opened = signal(null);
  const agent = signal(/** @type {any} */ (null));
  const queues = signal(/** @type {any[]} */ ([]));
  const pbxLinks = signal(/** @type {any[]} */ ([]));
  /** Why the store's records could not be had, null where they could. @type {import('@preact/signals').Signal<import('../lib/rest.js').Refusal|null>} */
  const recordsRefused = signal(null);
  /** @type {Set<string>} */
  const seenPops = new Set();
  /** Whether the agent is writing on the open card: then nothing else may take its place. */
  let writing = () => false;

  /** @param {Card} card */
  function put(card) {
    cards.value = new Map(cards.value).set(card.callId, card);
  }

  /** @param {string} callId */
  function drop(callId) {
    const left = new Map(cards.value);
    left.delete(callId);
    cards.value = left;
    if (opened.value === callId) opened.value = firstOf(left);
  }

  /** @param {Map<string, Card>} left */
  const firstOf = (left) => [...left.values()].sort((a, b) => rank(a) - rank(b))[0]?.callId ?? null;

  /** @param {any} call @param {Card|undefined} card @returns {Phase|null} null: nothing to this agent any more */
  function phaseOf(call, card) {
    if (call.state !== 'ended' && call.talking.includes(extension)) return call.state === 'held' ? 'held' : 'talking';
    if (call.state !== 'ended' && call.ringing.includes(extension)) return 'ringing';
    if (card && ['talking', 'held', 'wrap_up'].includes(card.phase)) return 'wrap_up';
    return null;
  }

  /** @param {any} call @param {number} at @returns {Card} */
  function blank(call, at) {
    return {
      callId: call.call_id, phase: 'ringing', call, pop: null, account: null, candidates: [], history: [], commitments: null,
      chosen: null, since: at, talkSince: null, interaction: null,
    };
  }

  /** @param {Card} card @param {Phase} phase @param {any} call @param {number} at */
  function moved(card, phase, call, at) {
    const since = card.phase === phase ? card.since : at;
    const talkSince = card.talkSince ?? (phase === 'talking' || phase === 'held' ? at : null);
    return { ...card, call, phase, since, talkSince };
  }

  /** @param {any} call @param {number} at */
  function takeCall(call, at) {
    const card = cards.value.get(call.call_id);
    const phase = phaseOf(call, card);
    if (phase === null) {
      if (card?.phase === 'ringing') toRecent(card, endingOf(call, extension), call);
      return;
    }
    const isNew = !card || card.phase === 'past';
    put(moved(isNew ? blank(call, at) : card, phase, call, at));
    if (phase === 'talking' || isNew) open(call.call_id);
  }

  /** @param {any} pop @param {number} at @param {boolean} standing from a snapshot: shown before, unless this page is new */
  function takePop(pop, at, standing) {
    const first = !seenPops.has(pop.pop_id);
    if (!first && pop.type !== 'pop.update' && !standing) return;
    const before = cards.value.get(pop.call.call_id);
    if (pop.type === 'pop.update' && !before) return;
    const phase = phaseOf(pop.call, before) ?? 'ringing';
    const base = before && before.phase !== 'past' ? before : blank(pop.call, at);
    // What was chosen while the store was away is known to this page only, and stays; what the service knew may be undone
    const account = pop.account ?? (base.chosen || pop.chosen ? null : base.account);
    put({
      ...moved(base, phase, pop.call, at),
      pop, account, candidates: pop.candidates ?? [], history: pop.history ?? [],
      commitments: pop.commitments ?? null, chosen: pop.chosen ?? null,
    });
    if (!first) return;
    seenPops.add(pop.pop_id);
    open(pop.call.call_id);
    onShown(pop.pop_id);
    if (phase === 'ringing') onRing(/** @type {Card} */ (cards.value.get(pop.call.call_id)));
  }

  /** @param {Card} card @param {Ending} ending @param {any} call */
  function toRecent(card, ending, call) {
    remember({ callId: card.callId, at: call.started_at, ending, call, account: card.account, interaction: card.interaction });
    drop(card.callId);
  }

  /** @param {Past} past */
  function remember(past) {
    recent.value = [past, ...recent.value.filter(({ callId }) => callId !== past.callId)].slice(0, RECENT_KEPT);
  }

  /** Opens a call by itself: only where nothing is being written and no live call is looked at. @param {string} callId */
  function open(callId) {
    const current = cards.value.get(opened.value ?? '');
    const busy = current && current.callId !== callId && (writing() || rank(current) < rank(cards.value.get(callId)));
    if (!busy) opened.value = callId;
  }

  /** @param {any} welcome */
  function takeWelcome(welcome) {
    const { snapshot } = welcome;
    const at = Date.parse(welcome.at);
    batch(() => {
      if (snapshot.queues) queues.value = sorted(snapshot.queues);
      if (snapshot.links) pbxLinks.value = snapshot.links;
      if (snapshot.agent !== undefined) agent.value = snapshot.agent;
      if (welcome.resumed) return;
      const live = new Map((snapshot.calls ?? []).map((/** @type {any} */ call) => [call.call_id, call]));
      for (const pop of snapshot.pops ?? []) {
        live.delete(pop.call.call_id);
        takePop(pop, sinceOf(pop.call, at), true);
      }
      for (const call of live.values()) takeCall(call, sinceOf(call, at));
      const standing = new Set([...live.keys(), ...(snapshot.pops ?? []).map((/** @type {any} */ pop) => pop.call.call_id)]);
      for (const card of cards.value.values()) {
        if (standing.has(card.callId) || card.phase === 'past' || card.phase === 'wrap_up') continue;
        if (card.phase === 'ringing') toRecent(card, 'missed', card.call);
        else put({ ...card, phase: 'wrap_up', since: at });
      }
    });
  }

  /** @param {any} call @param {number} at when a call of a snapshot began to be what it is: as near as it tells */
  function sinceOf(call, at) {
    const told = call.talking.includes(extension) ? call.answered_at : call.started_at;
    return told ? Date.parse(told) : at;
  }

  /** @param {any} event */
  function takeEvent(event) {
    const at = event.at ? Date.parse(event.at) : serverTime();
    batch(() => {
      switch (event.type) {
        case 'pop':
        case 'pop.update':
          takePop(event, at, false);
          break;
        case 'pop.withdrawn': {
          const card = cards.value.get(event.call_id);
          const ending = { answered_elsewhere: 'elsewhere', abandoned: 'abandoned' }[event.why] ?? 'missed';
          if (card?.phase === 'ringing') toRecent(card, /** @type {Ending} */ (ending), card.call);
          else if (!card) recent.value = recent.value.map((past) => (past.callId === event.call_id ? { ...past, ending } : past));
          break;
        }
        case 'call.answered':
        case 'call.held':
        case 'call.resumed':
        case 'call.transferred':
        case 'call.ended':
        case 'call.changed':
          takeCall(event.call, at);
          break;
        case 'wrap_up.saved':
          change(event.call_id, { interaction: event.interaction });
          break;
        case 'queue.figures':
          queues.value = merged(queues.value, event.queues);
          break;
        case 'agent.state':
          agent.value = event.agents.find((/** @type {any} */ one) => one.agent === extension) ?? agent.value;
          break;
        case 'link.state':
          pbxLinks.value = event.links;
          break;
        default: // a newer server's event: nothing this page shows
      }
    });
  }

  /** @param {string} callId @param {Partial<Card>} changes */
  function change(callId, changes) {
    const card = cards.value.get(callId);
    if (card) put({ ...card, ...changes });
    const { interaction } = changes;
    if (interaction) recent.value = recent.value.map((past) => (past.callId === callId ? { ...past, interaction } : past));
  }

  /** The agent is done with a call: it goes to the list of past ones. @param {string} callId */
  function finish(callId) {
    const card = cards.value.get(callId);
    if (card) batch(() => toRecent(card, 'talked', card.call));
  }

  /** Opens a past call to read or to finish its wrap-up. @param {Past} past */
  function openPast(past) {
    batch(() => {
      if (!cards.value.has(past.callId)) {
        for (const card of cards.value.values()) if (card.phase === 'past') drop(card.callId);
        put({ ...blank(past.call, Date.parse(past.at)), phase: 'past', account: past.account, interaction: past.interaction });
      }
      opened.value = past.callId;
    });
  }

  return {
    extension, cards, recent, opened, agent, queues, pbxLinks, recordsRefused,
    current: computed(() => [...cards.value.values()].filter(({ phase }) => phase !== 'past').sort((a, b) => rank(a) - rank(b))),
    card: computed(() => cards.value.get(opened.value ?? '') ?? null),
    takeWelcome, takeEvent, change, finish, openPast, remember, drop,
    /** @param {() => boolean} asked */
    whileWriting: (asked) => (writing = asked),
  };
}

/** What a call that is over for this agent was. @param {any} call @param {string} extension @returns {Ending} */
export function endingOf(call, extension) {
  if (call.answered_by.includes(extension) || call.direction === 'outbound') return 'talked';
  if (call.answered_by.length) return 'elsewhere';
  return call.state === 'ended' && call.outcome === 'abandoned' ? 'abandoned' : 'missed';
}

/** The order on the desk: who must be attended to first. @param {Card|undefined} card */
function rank(card) {
  return card ? ['talking', 'held', 'ringing', 'wrap_up', 'past'].indexOf(card.phase) : 9;
}

/** @param {any[]} before @param {any[]} news */
export function merged(before, news, key = 'queue') {
  const all = new Map(before.map((one) => [one[key], one]));
  for (const one of news) all.set(one[key], one);
  return sorted([...all.values()], key);
}

/** @param {any[]} items */
function sorted(items, key = 'queue') {
  return [...items].sort((a, b) => String(a[key]).localeCompare(String(b[key])));
}
