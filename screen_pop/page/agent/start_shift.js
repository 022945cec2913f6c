/**
 * The middle of the desk when no call is open: what must be in order before the first call, and one button. Its click is
 * also what lets the browser play the ring and show notifications.
 */

import { useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { Icon } from '../lib/icons.js';
import { shown } from '../lib/hostile.js';
import { t } from '../lib/locale.js';
import { prefer, preferences } from '../lib/preferences.js';

export function StartShift({ workplace }) {
  const { ringer, desk, link, user, controls } = workplace;
  const [allowed, setAllowed] = useState(ringer.sound());
  const agent = desk.agent.value;
  const phoneGone = !agent || ['unavailable', 'invalid', 'unknown'].includes(agent.phone);
  const pbxGood = desk.pbxLinks.value.length > 0 && desk.pbxLinks.value.every(({ state }) => state === 'connected');
  const notices = ringer.notifications();
  const checks = [
    ['link.server', link.status.value.phase === 'live', t(`link.server_${link.status.value.phase}`)],
    ['link.pbx', pbxGood, t(pbxGood ? 'link.pbx_good' : 'link.pbx_bad')],
    ['link.phone', !phoneGone, `${shown(user.extension, 12)} ${t(phoneGone ? 'link.phone_bad' : 'link.phone_good')}`],
    ['shift.sound', allowed, t(allowed ? 'shift.allowed' : 'shift.asked_at_start')],
    ['shift.notices', notices === 'granted', t(notices === 'granted' ? 'shift.allowed' : notices === 'denied' ? 'shift.denied' : 'shift.asked_at_start')],
  ];
  const start = async () => {
    await ringer.allow();
    setAllowed(ringer.sound());
    if (agent && agent.status !== 'ready') await controls.setState('ready', '');
  };
  const sound = preferences.value.sound !== false;
  return html`<section class="idle-stage">
    <div class="idle-mark" aria-hidden="true"><${Icon} name="phone" size=${30} /></div>
    <h2>${t(agent?.status === 'ready' ? 'idle.ready' : 'idle.not_ready')}</h2>
    <p class="lead">${t(agent?.status === 'ready' ? 'idle.ready_lead' : 'idle.not_ready_lead')}</p>
    <ul class="checks">
      ${checks.map(([name, good, words]) => html`<li class=${good ? 'good' : 'open'}>
        <${Icon} name=${good ? 'check' : 'info'} size=${16} /><span>${t(name)}</span><span class="quiet">${words}</span></li>`)}
    </ul>
    <div class="form-actions">
      ${(!allowed || agent?.status !== 'ready') && html`<button type="button" class="button primary" onClick=${start}><${Icon} name="bell" />${t('shift.start')}</button>`}
      <label class="switch"><input type="checkbox" checked=${sound} onChange=${() => prefer({ sound: !sound })} />${t('shift.tone')}</label>
    </div>
  </section>`;
}
