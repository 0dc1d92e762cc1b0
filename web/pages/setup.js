// Creates the first administrator. The one-time token arrives after the # of the address, which a browser sends to
// nobody, and leaves in the body of one request.

import { by_id, error_of, show_field_error, take_token, wire_form, wrong_email, wrong_new_password } from '/assets/page.js';

let token = '';

function begin() {
  token = take_token();
  by_id('token-field').hidden = token !== '';
}

function words(failure) {
  if (failure.status === undefined) return ['The server could not be reached.', 'Nothing has been created as far as this page can tell. Check that the server is running, then try again.'];
  if (failure.status === 409) return ['This server has been set up already.', 'The link works once. Whoever was set up can invite others.'];
  if ([401, 403, 404, 410].includes(failure.status) || failure.message.startsWith('token: ')) {
    token = '';
    by_id('token-field').hidden = false;
    return ['The one-time token is not valid.', 'It works once and for an hour, and a restart of the server replaces it. Look at what the server printed when it started last; a restart prints a new link.'];
  }
  return null;
}

async function create(values) {
  const response = await fetch('/setup', {
    method: 'POST', credentials: 'omit', redirect: 'error',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    body: JSON.stringify({ ...values, token: token || values.token.replace(/^.*#/, '') }),
  });
  if (response.status !== 201) throw await error_of(response);
}

function show_finished(_, values) {
  // Kept nowhere: neither the token nor the password is of use to this page any more.
  token = '';
  by_id('form').reset();
  by_id('finished-lead').textContent = `${values.organisation} has been created, with ${values.email} as its administrator.`;
  // Quoted for a shell: a name is typed by a person and this line is copied by one.
  by_id('next-project').textContent = `parley project create --tenant '${values.organisation.replaceAll("'", "'\\''")}' \\\n  --name Docs --slug docs`;
  by_id('asking').hidden = true;
  by_id('finished').hidden = false;
  document.title = 'Ready · Parley';
  by_id('finished-title').focus();
  window.scrollTo(0, 0);
}

wire_form(by_id('form'), {
  spoken: { token: 'The token', organisation: 'The name', email: 'The e-mail address', password: 'The password' },
  check: (values) => ({
    token: token === '' && values.token === '' ? 'Paste the token from the link.' : '',
    organisation: values.organisation === '' ? 'Give your organisation a name.' : '',
    email: wrong_email(values.email),
    password: wrong_new_password(values.password),
  }),
  words, send: create, done: show_finished,
});
window.addEventListener('hashchange', () => { begin(); show_field_error(by_id('token'), ''); });
begin();
