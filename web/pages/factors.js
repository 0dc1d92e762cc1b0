// Second factors: setting them up, showing one, and passkeys. For signing in and for the page of the account.

import { ask, call, copy_button, element, field, list_of, paragraph, quiet_button, show_failure, text_of, ToldFailure, wire_form } from '/assets/page.js';

// ------------------------------------------------------------------------------------------------------------ Passkeys

export const has_passkeys = typeof PublicKeyCredential === 'function' && window.isSecureContext;

function bytes_of(text) {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

function base64url(buffer) {
  const binary = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join('');
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

const descriptors = (list) => list_of(list).map((each) => ({ ...each, id: bytes_of(each.id) }));

// Written out, and not parseCreationOptionsFromJSON and toJSON: many browsers in use lack these.
function creation_options(json) {
  return { ...json, challenge: bytes_of(json.challenge), user: { ...json.user, id: bytes_of(json.user.id) }, excludeCredentials: descriptors(json.excludeCredentials) };
}

function request_options(json) {
  return { ...json, challenge: bytes_of(json.challenge), allowCredentials: descriptors(json.allowCredentials) };
}

function json_of(credential) {
  const { response } = credential;
  const answer = { clientDataJSON: base64url(response.clientDataJSON) };
  if (response.attestationObject) {
    answer.attestationObject = base64url(response.attestationObject);
    answer.transports = response.getTransports?.() ?? [];
  } else {
    answer.authenticatorData = base64url(response.authenticatorData);
    answer.signature = base64url(response.signature);
    if (response.userHandle) answer.userHandle = base64url(response.userHandle);
  }
  return { id: credential.id, rawId: base64url(credential.rawId), type: credential.type, response: answer,
           clientExtensionResults: {}, ...(credential.authenticatorAttachment ? { authenticatorAttachment: credential.authenticatorAttachment } : {}) };
}

async function with_browser(make) {
  try {
    return json_of(await make());
  } catch (failure) {
    const text = {
      NotAllowedError: 'It was put away, or took too long. Try again.',
      InvalidStateError: 'This device has a passkey for this account already.',
      SecurityError: 'Passkeys need this page to be opened under its name and over HTTPS, not by a number.',
    }[failure.name] ?? 'The browser could not use a passkey here.';
    throw new ToldFailure('There was no passkey.', text);
  }
}

/// Makes a passkey on this device and stores it as `name`.
export async function add_passkey(name) {
  const options = await call('POST', '/account/passkeys/options/', {});
  const credential = await with_browser(() => navigator.credentials.create({ publicKey: creation_options(options.publicKey) }));
  return call('POST', '/account/passkeys/', { name, credential });
}

/// Signs in with a passkey, or shows it as a second factor where a session has begun.
export async function show_passkey() {
  const options = await ask('POST', '/session/passkey/options/', {});
  const credential = await with_browser(() => navigator.credentials.get({ publicKey: request_options(options.publicKey) }));
  return ask('POST', '/session/passkey/', { credential });
}

// ------------------------------------------------------------------------------------------------------ Showing a factor

const wrong_code = (text) => (/^\d{6}$/.test(text.replaceAll(' ', '')) ? '' : 'Type the six digits that the app shows.');

const wrong_app_code = (failure) => (failure.status === 401 ? ['That did not match.', 'Codes change every 30 seconds and each works once. If it happens again, check the clock of the device that shows them.'] : null);

const code_field = (label, hint = '') => field({ name: 'totp', label, hint, inputmode: 'numeric', autocomplete: 'one-time-code', maxlength: 7, class: 'code-input', spellcheck: 'false' });

/// The ways to show a second factor, those of `factors` that there are; `done(answer)` once one was accepted.
export function factor_forms(factors, done) {
  const summary = () => element('div', { class: 'summary', role: 'alert', tabindex: '-1', hidden: true });
  const submit = (text) => element('p', {}, element('button', { type: 'submit', class: 'button', 'data-busy': 'Checking…' }, text));

  const by_app = element('form', { class: 'fields', method: 'post', novalidate: true }, summary(), code_field('Six digits from your authenticator app'), submit('Continue'));
  wire_form(by_app, {
    spoken: { totp: 'The code' }, done, words: wrong_app_code,
    check: ({ totp }) => ({ totp: wrong_code(totp) }),
    send: ({ totp }) => ask('POST', '/session/factor/', { totp: totp.replaceAll(' ', '') }),
  });

  const by_code = element('form', { class: 'fields', method: 'post', novalidate: true, hidden: true }, summary(),
    field({ name: 'recovery_code', label: 'One of your recovery codes', hint: 'You got them when you set up the second factor. Each works once.', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', class: 'code-input' }),
    submit('Continue'));
  wire_form(by_code, {
    spoken: { recovery_code: 'The code' }, done,
    words: (failure) => (failure.status === 401 ? ['That did not match.', 'Each recovery code works once. Try the next one.'] : null),
    check: ({ recovery_code }) => ({ recovery_code: recovery_code === '' ? 'Type one of the codes.' : '' }),
    send: ({ recovery_code }) => ask('POST', '/session/factor/', { recovery_code }),
  });

  const has_app = factors.includes('totp');
  const has_key = factors.includes('passkey') && has_passkeys;
  const by_key = element('form', { class: 'fields', method: 'post', novalidate: true }, summary(),
    element('p', {}, element('button', { type: 'submit', class: has_app ? 'quiet large' : 'button', 'data-busy': 'Waiting for the passkey…' }, 'Use a passkey')));
  wire_form(by_key, { done, send: show_passkey });

  const ways = [...(has_app ? [by_app] : []), ...(has_key ? [by_key] : [])];
  const other = quiet_button('Use a recovery code instead', () => {
    const to_code = by_code.hidden;
    by_code.hidden = !to_code;
    for (const way of ways) way.hidden = to_code;
    other.textContent = to_code ? 'Use the other way again' : 'Use a recovery code instead';
    (to_code ? by_code : ways[0]).querySelector('input, button').focus();
  }, { class: 'link' });
  if (ways.length === 0) by_code.hidden = false;
  return [...ways, by_code, ways.length > 0 && factors.includes('recovery_code') ? paragraph(other) : ''];
}

/// Does `action`, which the server allows only shortly after a second factor was shown; asks for it if that was too long
/// ago. Undefined if it was put away.
export async function with_fresh_factor(action) {
  let session;
  try {
    return await action();
  } catch (failure) {
    if (failure.status !== 403) throw failure;
    session = await call('GET', '/session/');
    if (session.factor_fresh !== false || list_of(session.factors).length === 0) throw failure;
  }
  const shown = await new Promise((resolve) => {
    let ok = false;
    const heading = element('h2', { id: 'fresh-title' }, 'Show that it is you');
    const dialog = element('dialog', { 'aria-labelledby': 'fresh-title' }, heading,
      element('p', { class: 'lead' }, 'This needs a second factor shown in the last ten minutes.'),
      ...factor_forms(list_of(session.factors), () => { ok = true; dialog.close(); }),
      element('p', { class: 'actions' }, quiet_button('Cancel', () => dialog.close())));
    document.body.append(dialog);
    dialog.addEventListener('close', () => { dialog.remove(); resolve(ok); });
    dialog.showModal();
  });
  return shown ? action() : undefined;
}

// ---------------------------------------------------------------------------------------------------------- Setting up

/// Recovery codes, with buttons to take them along.
export function recovery_codes(codes) {
  const list = element('ol', { class: 'codes' }, ...list_of(codes).map((each) => element('li', {}, element('code', {}, text_of(each)))));
  const text = `${list_of(codes).join('\n')}\n`;
  const download = quiet_button('Download', () => {
    const address = URL.createObjectURL(new Blob([`Recovery codes for ${location.host}. Each works once.\n\n${text}`], { type: 'text/plain' }));
    element('a', { href: address, download: 'parley-recovery-codes.txt' }).click();
    URL.revokeObjectURL(address);
  });
  return element('div', {}, list, element('p', { class: 'actions' }, copy_button(text, list, 'Copy all'), download));
}

export const recovery_text = 'When your second factor is lost, one of these codes lets you in. Each works once. They are shown this one time only, so keep them where you keep passwords.';

/// Sets up an authenticator app inside `into`; `done(answer)` after the code was confirmed.
export async function set_up_app(into, done) {
  const summary = element('div', { class: 'summary', role: 'alert', tabindex: '-1', hidden: true });
  into.replaceChildren(summary, element('p', { class: 'waiting' }, 'Making a secret…'));
  let made;
  try {
    // Somebody who has another factor already shows that one first.
    made = await with_fresh_factor(() => call('POST', '/account/totp/', {}));
    if (made === undefined) throw new ToldFailure('Nothing is set up yet.', 'It goes on when you have shown a second factor.');
  } catch (failure) {
    into.lastElementChild.remove();
    into.append(paragraph(quiet_button('Try again', () => set_up_app(into, done))));
    show_failure(summary, failure);
    return;
  }
  const secret = element('code', { class: 'secret' }, text_of(made.secret).replace(/(.{4})(?=.)/g, '$1 '));
  const form = element('form', { class: 'fields', method: 'post', novalidate: true }, element('div', { class: 'summary', role: 'alert', tabindex: '-1', hidden: true }),
    code_field('Six digits that the app shows now'), element('p', {}, element('button', { type: 'submit', class: 'button', 'data-busy': 'Checking…' }, 'Confirm')));
  form.querySelector('input').name = 'code';
  wire_form(form, {
    spoken: { code: 'The code' }, done,
    words: wrong_app_code,
    check: ({ code }) => ({ code: wrong_code(code) }),
    send: ({ code }) => call('POST', '/account/totp/confirm/', { code: code.replaceAll(' ', '') }),
  });
  // As an image, so that nothing in it can be more than a picture.
  const picture = element('img', { class: 'qr', alt: 'QR code of the secret below', width: 208, height: 208, src: `data:image/svg+xml,${encodeURIComponent(text_of(made.qr))}` });
  const uri = text_of(made.uri);
  into.replaceChildren(
    element('div', { class: 'enrol' }, picture,
      element('div', {},
        paragraph('Scan this with an authenticator app on your telephone. Any app for one-time codes will do.'),
        element('p', { class: 'hint' }, 'If the app is on this device, ', uri.startsWith('otpauth://') ? element('a', { href: uri }, 'open it there') : 'open it', ' or type the secret:'),
        element('p', { class: 'secret-row' }, secret, copy_button(text_of(made.secret), secret)))),
    form);
  form.querySelector('input').focus({ preventScroll: true });
}

/// What this device might be called, as a first name for its passkey.
export function device_name() {
  const names = [['iPhone', 'iPhone'], ['iPad', 'iPad'], ['Android', 'Android telephone'], ['Windows', 'Windows computer'], ['Mac OS X', 'Mac'], ['Linux', 'Linux computer']];
  return (names.find(([mark]) => navigator.userAgent.includes(mark)) ?? ['', 'This device'])[1];
}
