/** The sign-in page: a plain form that password managers know, and refusals in plain words. */

import { useState } from 'preact/hooks';
import { html, render } from '../lib/html.js';
import { Icon } from '../lib/icons.js';
import { preferredLanguage, t, useLanguage } from '../lib/locale.js';
import { request, wordsOf } from '../lib/rest.js';
import { Brand, homeOf, Tools } from '../lib/shell.js';

function SignIn() {
  const [refused, setRefused] = useState('');
  const [busy, setBusy] = useState(false);
  const [visible, setVisible] = useState(false);
  document.title = `${t('login.title')} · cti-bridge`;

  const onSubmit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    const { username, password } = Object.fromEntries(new FormData(form));
    setRefused('');
    setBusy(true);
    try {
      const { user } = await request('POST', '/session', { username: String(username).trim(), password });
      location.assign(homeOf(user.role));
    } catch (error) {
      setBusy(false);
      setRefused(wordsOf(error));
      form.password.select();
    }
  };

  return html`<div class="sign-in">
    <header><${Brand} title="cti-bridge" /><${Tools} /></header>
    <main>
      <h2>${t('login.title')}</h2>
      <p class="lead">${t('login.lead')}</p>
      <form onSubmit=${onSubmit}>
        <label for="username">${t('login.username')}</label>
        <input id="username" name="username" autocomplete="username" autocapitalize="none" spellcheck="false" required
          maxlength="100" autofocus aria-describedby=${refused ? 'refused' : undefined} />
        <label for="password">${t('login.password')}</label>
        <div class="password">
          <input id="password" name="password" type=${visible ? 'text' : 'password'} autocomplete="current-password" required
            maxlength="200" aria-describedby=${refused ? 'refused' : undefined} />
          <button type="button" class="tool" aria-pressed=${visible} aria-label=${t('login.show_password')}
            onClick=${() => setVisible(!visible)}><${Icon} name=${visible ? 'hidden' : 'eye'} /></button>
        </div>
        <p id="refused" class="refused" role="alert">${refused && html`<${Icon} name="warning" size=${16} /> ${refused}`}</p>
        <button class="button primary big" disabled=${busy}>${busy ? t('login.busy') : t('login.submit')}</button>
      </form>
    </main>
  </div>`;
}

await useLanguage(preferredLanguage(null));
render(html`<${SignIn} />`, document.getElementById('app'));
document.getElementById('username')?.focus();
