/** The board's memory: the newest figures, agents and live calls. Pure steps from messages to signals. */

import { batch, signal } from '@preact/signals';

/** @param {any[]} gaps */
export const newestFirst = (gaps) => gaps.sort((a, b) => b.since.localeCompare(a.since));

/** @param {any[]} before @param {any[]} news @param {string} key */
export function merged(before, news, key) {
  const all = new Map(before.map((one) => [one[key], one]));
  for (const one of news) all.set(one[key], one);
  return [...all.values()];
}

/** @param {import('@preact/signals').Signal<string|null>} opened the call whose record is open */
export function openBoard(opened) {
  const queues = signal(/** @type {any[]} */ ([]));
  const agents = signal(/** @type {any[]} */ ([]));
  const calls = signal(/** @type {any[]} */ ([]));
  const pbxLinks = signal(/** @type {any[]} */ ([]));
  const gaps = signal(/** @type {any[]} */ ([]));
  const audits = signal(/** @type {any[]} */ ([]));

  /** @param {any} welcome */
  function takeWelcome({ snapshot, resumed }) {
    batch(() => {
      if (snapshot.queues) queues.value = snapshot.queues;
      if (snapshot.agents) agents.value = snapshot.agents;
      if (snapshot.links) pbxLinks.value = snapshot.links;
      if (snapshot.gaps) gaps.value = snapshot.gaps;
      if (snapshot.audits) audits.value = snapshot.audits;
      if (snapshot.calls && !resumed) calls.value = snapshot.calls;
    });
  }

  /** @param {any} event */
  function takeEvent(event) {
    switch (event.type) {
      case 'queue.figures':
        queues.value = merged(queues.value, event.queues, 'queue');
        break;
      case 'agent.state':
        agents.value = merged(agents.value, event.agents, 'agent');
        break;
      case 'link.state':
        pbxLinks.value = event.links;
        break;
      case 'gap.state':
        gaps.value = newestFirst(merged(gaps.value, event.gaps, 'gap_id'));
        break;
      case 'audit.state':
        audits.value = merged(audits.value, event.audits, 'pbx');
        break;
      case 'call.ended':
        calls.value = calls.value.filter(({ call_id: id }) => id !== event.call.call_id);
        break;
      case 'call.answered':
      case 'call.held':
      case 'call.resumed':
      case 'call.transferred':
      case 'call.changed':
        calls.value = merged(calls.value, [event.call], 'call_id');
        break;
      default: // pops are for agents; a newer server's events show nothing here
    }
  }

  return { queues, agents, calls, pbxLinks, gaps, audits, opened, takeWelcome, takeEvent };
}
