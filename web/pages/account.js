// One's own account: organisation, second factor, passkeys, password, and where one is signed in.

import { add_passkey, device_name, has_passkeys, recovery_codes, recovery_text, set_up_app, with_fresh_factor } from '/assets/factors.js';
import { by_id, call, confirm_dialog, element, field, fill, form_dialog, list_of, moment, once_dialog, open_page, paragraph, provider_problem, quiet_button, show_failure, show_problem, tell, text_of, wrong_new_password } from '/assets/page.js';

const session = await open_page();
const problem = by_id('problem');

/// Does something that a button asked for; what fails is said at the top, where the focus then is.
async function attempt(action) {
  problem.hidden = true;
  try { await action(); } catch (failure) { show_failure(problem, failure); }
}

// Organisation

function show_account() {
  by_id('who').replaceChildren(text_of(session.account?.email), session.account?.confirmed === false ? element('span', { class: 'badge amber' }, 'not confirmed yet') : '');
  const organisations = list_of(session.organisations);
  const current = session.organisation?.id;
  by_id('organisation').hidden = organisations.length === 0;
  by_id('organisations').replaceChildren(
    current ? '' : element('p', { class: 'about' }, 'Choose the one you want to act for.'),
    element('ul', { class: 'rows' }, ...organisations.map((each) => element('li', { class: 'row' },
      element('div', { class: 'row-main' }, element('p', { class: 'row-name' }, text_of(each.name), each.id === current ? element('span', { class: 'badge pine' }, 'this one') : ''),
        element('p', { class: 'facts' }, `Your role: ${text_of(each.role)}`)),
      each.id === current ? '' : element('div', { class: 'row-actions' }, quiet_button('Act for this', () => attempt(async () => {
        await call('PUT', '/session/organisation/', { organisation: each.id });
        // The head of the page and all that depends on the role change with it.
        location.reload();
      }), { 'aria-label': `Act for this: ${text_of(each.name)}` }))))));
}

// Second factor

const new_codes = (codes) => once_dialog({ title: 'Keep your recovery codes', text: recovery_text, children: [recovery_codes(codes)], kept: 'I have kept them' });

function begin_set_up() {
  by_id('factors').hidden = true;
  const box = element('div');
  by_id('enrol').replaceChildren(box, paragraph(quiet_button('Cancel', end_set_up)));
  set_up_app(box, async (answer) => {
    end_set_up();
    if (list_of(answer.recovery_codes).length > 0) await new_codes(answer.recovery_codes);
    tell(by_id('factors'), 'Your authenticator app is set up.');
    await load_factors();
  });
}

function end_set_up() {
  by_id('enrol').replaceChildren();
  by_id('factors').hidden = false;
}

function codes_row(given) {
  const left = Number(given.recovery_codes_left) || 0;
  return element('li', { class: 'row' }, element('div', { class: 'row-main' },
    element('p', { class: 'row-name' }, 'Recovery codes', element('span', { class: left > 3 ? 'badge' : 'badge amber' }, `${left} left`)),
    element('p', { class: 'facts' }, 'Each lets you in once when the app or the passkey is lost.')),
  element('div', { class: 'row-actions' }, quiet_button('Make new ones', () => attempt(renew_codes))));
}

function factor_rows(given) {
  const app = list_of(given.factors).find((each) => each.kind === 'totp');
  if (!app) {
    return [element('div', { class: 'row' }, element('div', { class: 'row-main' },
      element('p', { class: 'row-name' }, 'Authenticator app', element('span', { class: 'badge' }, 'not set up')),
      element('p', { class: 'facts' }, 'An app on your telephone shows a new code every 30 seconds.')),
      element('div', { class: 'row-actions' }, element('button', { type: 'button', class: 'button compact', onclick: begin_set_up }, 'Set up'))),
    ...(list_of(given.passkeys).length > 0 ? [element('ul', { class: 'rows' }, codes_row(given))] : [])];
  }
  return [element('ul', { class: 'rows' },
    element('li', { class: 'row' }, element('div', { class: 'row-main' },
      element('p', { class: 'row-name' }, 'Authenticator app', element('span', { class: 'badge pine' }, 'on')),
      element('p', { class: 'facts' }, ...(app.since ? ['Since ', moment(app.since)] : ['Asked for after your password.']))),
      element('div', { class: 'row-actions' }, quiet_button('Remove…', () => attempt(remove_app), { 'aria-label': 'Remove the authenticator app' }))),
    codes_row(given))];
}

async function remove_app() {
  const done = await confirm_dialog({
    title: 'Remove the authenticator app?', action: 'Remove it', busy: 'Removing…',
    text: 'Your password alone will be enough then, unless your organisation asks for a second factor. The recovery codes go, too.',
    send: () => with_fresh_factor(() => call('DELETE', '/account/totp/')),
  });
  if (!done) return;
  tell(by_id('factors'), 'The authenticator app is removed.');
  await load_factors();
}

async function renew_codes() {
  const answer = await with_fresh_factor(() => call('POST', '/account/recovery-codes/', {}));
  if (answer === undefined) return;
  await new_codes(answer.recovery_codes);
  tell(by_id('factors'), 'You have new recovery codes. The former ones work no more.');
  await load_factors();
}

// Passkeys

const name_of_passkey = () => field({ name: 'name', label: 'Name', hint: 'So that you know later which one it is.', value: device_name(), maxlength: 100, autocomplete: 'off' });
const wrong_name = ({ name }) => ({ name: name === '' ? 'Give it a name.' : '' });

function passkey_row(passkey) {
  const name = text_of(passkey.name) || 'Passkey';
  return element('li', { class: 'row' },
    element('div', { class: 'row-main' }, element('p', { class: 'row-name' }, name),
      element('p', { class: 'facts' }, 'Added ', moment(passkey.created_at), ...(passkey.last_used_at ? [', last used ', moment(passkey.last_used_at)] : [', not used yet']))),
    element('div', { class: 'row-actions' },
      quiet_button('Rename…', () => attempt(() => rename_passkey(passkey, name)), { 'aria-label': `Rename ${name}` }),
      quiet_button('Remove…', () => attempt(() => remove_passkey(passkey, name)), { 'aria-label': `Remove ${name}` })));
}

async function rename_passkey(passkey, name) {
  const input = name_of_passkey();
  input.querySelector('input').value = name;
  const done = await form_dialog({
    title: 'Rename the passkey', fields: [input], action: 'Save', busy: 'Saving…', spoken: { name: 'The name' }, check: wrong_name,
    send: (values) => call('PUT', `/account/passkeys/${encodeURIComponent(passkey.id)}/`, values),
  });
  if (done === undefined) return;
  tell(by_id('passkeys'), 'The passkey has its new name.');
  await load_factors();
}

async function remove_passkey(passkey, name) {
  const done = await confirm_dialog({
    title: `Remove “${name}”?`, text: 'It will not let you in any more. It may still stand in the device’s own list, where you can delete it.', action: 'Remove it', busy: 'Removing…',
    send: () => with_fresh_factor(() => call('DELETE', `/account/passkeys/${encodeURIComponent(passkey.id)}/`)),
  });
  if (!done) return;
  tell(by_id('passkeys'), `“${name}” is removed.`);
  await load_factors();
}

by_id('add-passkey').hidden = !has_passkeys;
by_id('add-passkey').addEventListener('click', () => attempt(async () => {
  const answer = await form_dialog({
    title: 'Add a passkey', text: 'Your browser asks for your fingerprint, face, PIN or security key next.', fields: [name_of_passkey()],
    action: 'Continue', busy: 'Waiting for the passkey…', spoken: { name: 'The name' }, check: wrong_name,
    send: ({ name }) => with_fresh_factor(() => add_passkey(name)),
  });
  if (!answer) return;
  if (list_of(answer.recovery_codes).length > 0) await new_codes(answer.recovery_codes);
  tell(by_id('passkeys'), 'The passkey is added. You can sign in with it.');
  await load_factors();
}));

async function load_factors() {
  let given;
  await fill(by_id('factors'), async () => { given = await call('GET', '/account/factors/'); return factor_rows(given); });
  const passkeys = list_of(given?.passkeys);
  const none = has_passkeys ? 'You have none yet.' : 'You have none yet. To add one, open this page over HTTPS in a browser that knows passkeys.';
  by_id('passkeys').replaceChildren(given === undefined ? '' : passkeys.length === 0 ? element('p', { class: 'none' }, none) : element('ul', { class: 'rows' }, ...passkeys.map(passkey_row)));
}

// Signing in elsewhere

function linked_row(each) {
  const name = text_of(each.name);
  return element('li', { class: 'row' },
    element('div', { class: 'row-main' }, element('p', { class: 'row-name' }, name, element('span', { class: 'badge pine' }, 'linked')),
      element('p', { class: 'facts' }, 'Since ', moment(each.created_at), ', last used ', moment(each.last_used_at))),
    element('div', { class: 'row-actions' }, quiet_button('Unlink…', () => attempt(async () => {
      const done = await confirm_dialog({
        title: `Unlink ${name}?`, text: 'It will not let you in any more. Make sure that you know your password or have a passkey.', action: 'Unlink it', busy: 'Unlinking…',
        send: () => with_fresh_factor(() => call('DELETE', `/account/providers/${encodeURIComponent(each.id)}/`)),
      });
      if (!done) return;
      tell(by_id('providers'), `${name} is unlinked.`);
      await load_providers();
    }), { 'aria-label': `Unlink ${name}` })));
}

function offered_row(each) {
  const name = text_of(each.name);
  return element('li', { class: 'row' },
    element('div', { class: 'row-main' }, element('p', { class: 'row-name' }, name)),
    element('div', { class: 'row-actions' }, quiet_button('Link', () => attempt(async () => {
      const begun = await with_fresh_factor(() => call('POST', '/account/providers/', { provider: each.id }));
      if (begun && /^https?:\/\//.test(text_of(begun.address))) location.assign(begun.address);
    }), { 'aria-label': `Link ${name}` })));
}

async function load_providers() {
  const given = await call('GET', '/account/providers/');
  const [linked, offered] = [list_of(given.linked), list_of(given.offered)];
  by_id('elsewhere').hidden = linked.length + offered.length === 0;
  by_id('providers').replaceChildren(element('ul', { class: 'rows' }, ...linked.map(linked_row), ...offered.map(offered_row)));
}

// Password

by_id('change-password').addEventListener('click', () => attempt(async () => {
  const done = await form_dialog({
    title: 'Change the password', action: 'Change it', busy: 'Changing…',
    fields: [
      // For password managers, which would else not know whose password it is.
      element('input', { type: 'text', autocomplete: 'username', value: text_of(session.account?.email), hidden: true, readonly: true, 'aria-label': 'E-mail address' }),
      field({ name: 'old', label: 'Password until now', kind: 'password', autocomplete: 'current-password' }),
      field({ name: 'new', label: 'New password', kind: 'password', autocomplete: 'new-password', hint: 'At least 10 characters. Several unrelated words are easy to keep and hard to guess.' }),
    ],
    spoken: { old: 'The password', new: 'The new password' },
    check: (values) => ({ old: values.old === '' ? 'Type your password until now.' : '', new: wrong_new_password(values.new) }),
    words: (failure) => (failure.status === 401 ? ['That is not your password.', 'Type the one that you sign in with until now.'] : null),
    send: (values) => call('POST', '/account/password/', values),
  });
  if (done === undefined) return;
  tell(by_id('change-password'), 'The password is changed, and you are signed out everywhere else.');
  await load_sessions();
}));

// Sessions

function session_row(each) {
  const client = text_of(each.client) || 'an unknown browser';
  const name = client[0].toUpperCase() + client.slice(1);
  return element('li', { class: 'row' },
    element('div', { class: 'row-main' }, element('p', { class: 'row-name' }, name, each.current ? element('span', { class: 'badge pine' }, 'this one') : ''),
      element('p', { class: 'facts' }, 'Signed in ', moment(each.created_at), ', last seen ', moment(each.last_seen_at))),
    each.current ? '' : element('div', { class: 'row-actions' }, quiet_button('Sign out', () => attempt(async () => {
      await call('DELETE', `/account/sessions/${encodeURIComponent(each.id)}/`);
      tell(by_id('sessions'), `${name} is signed out.`);
      await load_sessions();
    }), { 'aria-label': `Sign out ${name}` })));
}

async function load_sessions() {
  await fill(by_id('sessions'), async () => {
    const sessions = list_of((await call('GET', '/account/sessions/')).sessions);
    by_id('end-others').hidden = sessions.length < 2;
    return [element('ul', { class: 'rows' }, ...sessions.map(session_row))];
  });
}

by_id('end-others').addEventListener('click', () => attempt(async () => {
  await call('DELETE', '/account/sessions/');
  tell(by_id('sessions'), 'You are signed out everywhere else.');
  await load_sessions();
  by_id('sessions-title').focus();
}));

show_account();
if (provider_problem()) show_problem(problem, ...provider_problem());
await Promise.all([load_factors(), attempt(load_providers), load_sessions()]);
// The sections have their size only now.
if (location.hash === '#second-factor' || location.hash === '#organisation') by_id(location.hash.slice(1)).scrollIntoView();
