/** The administrator's page: is the PBX there, is what it says sound, and is the rules file in force. */

import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { html } from '../lib/html.js';
import { Completeness } from '../lib/completeness.js';
import { shown } from '../lib/hostile.js';
import { openLink } from '../lib/link.js';
import { t } from '../lib/locale.js';
import { toSignIn } from '../lib/rest.js';
import { Brand, ConnectionBanner, freshness, startPage, Tools } from '../lib/shell.js';
import { merged, newestFirst } from '../supervisor/board.js';
import { PbxLinks } from './pbx_links.js';
import { RoutingFile } from './routing_file.js';

function Administration({ state, link, user }) {
  const { links, gaps, audits, routing } = state;
  const fresh = freshness(link.status.value, []);
  useEffect(() => {
    document.title = `${t('admin.title')} · cti-bridge`;
  });
  return html`
    <nav class="skips" aria-label=${t('skip.title')}><a href="#pbx">${t('admin.pbx')}</a><a href="#routing">${t('admin.routing')}</a></nav>
    <header class="bar"><${Brand} title=${t('admin.title')} /><span class="me">${shown(user.name, 40)}</span><${Tools} user=${user} /></header>
    <${ConnectionBanner} link=${link} pbxLinks=${[]} calm=${t('link.calm_board')} />
    <main class=${`admin-page ${fresh.state}`}>
      <${PbxLinks} links=${links.value} fresh=${fresh} />
      <${Completeness} gaps=${gaps.value} audits=${audits.value} all />
      <${RoutingFile} routing=${routing.value} />
    </main>`;
}

startPage('admin', (user) => {
  const some = () => signal(/** @type {any[]} */ ([]));
  const state = { links: some(), gaps: some(), audits: some(), routing: signal(/** @type {any} */ (null)) };
  const take = (/** @type {any} */ { links, gaps, audits, routing }) => {
    if (links) state.links.value = links;
    if (gaps) state.gaps.value = newestFirst(merged(state.gaps.value, gaps, 'gap_id'));
    if (audits) state.audits.value = merged(state.audits.value, audits, 'pbx');
    if (routing) state.routing.value = routing;
  };
  const link = openLink({
    onWelcome: ({ snapshot }) => take(snapshot),
    onEvent: (event) => {
      if (['link.state', 'gap.state', 'audit.state', 'routing.state'].includes(event.type)) take(event);
    },
    onSignedOut: toSignIn,
  });
  return html`<${Administration} state=${state} link=${link} user=${user} />`;
});
