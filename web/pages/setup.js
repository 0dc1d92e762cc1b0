// Creates the first administrator. The one-time token arrives after the # of the address, which a browser sends to
// nobody, and leaves in the body of one request.

const password_length_min = 10;  // the server's; its own judgement of strength comes on top
const fields = ['token', 'organisation', 'email', 'password'];
const spoken = { token: 'The token', organisation: 'The name', email: 'The e-mail address', password: 'The password' };
const by_id = (id) => document.getElementById(id);
const length_of = (text) => [...text].length;

let token = '';

function take_token() {
  try { token = decodeURIComponent(location.hash.slice(1)); } catch { token = location.hash.slice(1); }
  // Out of the address bar and of the history, where the next person at this machine would find it.
  if (location.hash !== '') history.replaceState(null, '', location.pathname);
  by_id('token-field').hidden = token !== '';
}

function show_error(field, text) {
  by_id(`${field}-error`).textContent = text;
  by_id(field).setAttribute('aria-invalid', String(text !== ''));
}

function show_summary(title, text, request_id) {
  const strong = document.createElement('strong');
  strong.textContent = title;
  const lines = [strong, text, request_id ? `Request ${request_id}` : ''].filter((line) => line !== '').map((line, i) => {
    const p = document.createElement('p');
    if (i === 2) p.className = 'small';
    p.append(line);
    return p;
  });
  by_id('summary').replaceChildren(...lines);
  by_id('summary').hidden = false;
  by_id('summary').focus();
}

function clear_errors() {
  by_id('summary').hidden = true;
  for (const field of fields) show_error(field, '');
}

/// Says what is wrong beside each field and moves to the first. True if nothing is.
function check(values) {
  const wrong = {};
  if (values.token === '') wrong.token = 'Paste the token from the link.';
  if (values.organisation === '') wrong.organisation = 'Give your organisation a name.';
  if (!/^[^\s@]+@[^\s@]+$/.test(values.email)) wrong.email = 'Give an e-mail address, like name@example.com.';
  if (values.password === '') wrong.password = 'Choose a password.';
  else if (length_of(values.password) < password_length_min) wrong.password = `This has ${length_of(values.password)} of at least ${password_length_min} characters.`;
  for (const [field, text] of Object.entries(wrong)) show_error(field, text);
  const first = fields.find((field) => wrong[field]);
  if (first) by_id(first).focus();
  return first === undefined;
}

/// The server names the field in front of its reason: "password: is too easy to guess".
function show_refusal(status, body, retry_after) {
  const text = typeof body?.error === 'string' ? body.error : '';
  const request_id = typeof body?.request_id === 'string' ? body.request_id : '';
  const named = /^(token|organisation|email|password): (.*)$/s.exec(text);
  if (named && (named[1] !== 'token' || !by_id('token-field').hidden)) {
    show_error(named[1], `${spoken[named[1]]} ${named[2]}${/[.!?]$/.test(named[2]) ? '' : '.'}`);
    by_id(named[1]).focus();
  } else if (status === 409) {
    show_summary('This server has been set up already.', 'The link works once. More accounts are made on the command line.', request_id);
  } else if (named || status === 401 || status === 403 || status === 404 || status === 410) {
    token = '';
    by_id('token-field').hidden = false;
    show_summary('The one-time token is not valid.', 'It works once and for an hour, and a restart of the server replaces it. Look at what the server printed when it started last; a restart prints a new link.', request_id);
  } else if (status === 429) {
    show_summary('Too many tries.', retry_after ? `Try again in ${retry_after} seconds.` : 'Try again in a minute.', request_id);
  } else {
    show_summary('This did not work.', text || `The server answered with status ${status}.`, request_id);
  }
}

function show_finished(values) {
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

let sending = false;

async function submit(event) {
  event.preventDefault();
  if (sending) return;
  clear_errors();
  const values = {
    token: token || by_id('token').value.trim().replace(/^.*#/, ''),
    organisation: by_id('organisation').value.trim(),
    email: by_id('email').value.trim(),
    password: by_id('password').value,
  };
  if (!check(values)) return;
  sending = true;
  by_id('submit').setAttribute('aria-disabled', 'true');
  by_id('submit').textContent = 'Creating…';
  try {
    const response = await fetch('/setup', {
      method: 'POST', credentials: 'omit', redirect: 'error',
      headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
      body: JSON.stringify(values),
    });
    if (response.status === 201) {
      show_finished(values);
    } else {
      let body = null;
      try { body = await response.json(); } catch { /* not ours: perhaps a proxy's page */ }
      show_refusal(response.status, body, Number.parseInt(response.headers.get('Retry-After') ?? '', 10) || null);
    }
  } catch {
    show_summary('The server could not be reached.', 'Nothing has been created as far as this page can tell. Check that the server is running, then try again.', '');
  } finally {
    sending = false;
    by_id('submit').removeAttribute('aria-disabled');
    by_id('submit').textContent = 'Create administrator';
  }
}

by_id('show').addEventListener('click', () => {
  const shown = by_id('password').type === 'text';
  by_id('password').type = shown ? 'password' : 'text';
  by_id('show').setAttribute('aria-pressed', String(!shown));
  by_id('show').textContent = shown ? 'Show' : 'Hide';
});
for (const field of fields) by_id(field).addEventListener('input', () => show_error(field, ''));
by_id('form').addEventListener('submit', submit);
window.addEventListener('hashchange', take_token);
take_token();
by_id('submit').disabled = false;
