// What the pages share: making elements, asking the server, forms, dialogs, and the head of a page for people who are
// signed in. Text becomes nodes by textContent and append alone: nothing here parses HTML.

export const password_length_min = 10;  // the server's; its own judgement of strength comes on top

// ---------------------------------------------------------------------------------------------------- Making elements

export const by_id = (id) => document.getElementById(id);
export const length_of = (text) => [...text].length;

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === 'class') made.className = value;
    else if (key === 'onclick') made.addEventListener('click', value);
    else made.setAttribute(key, value === true ? '' : String(value));
  }
  made.append(...children);
  return made;
}

export const paragraph = (...children) => element('p', {}, ...children);
export const code = (text) => element('code', {}, text);
export const quiet_button = (text, onclick, attributes = {}) => element('button', { type: 'button', class: 'quiet', onclick, ...attributes }, text);
export const text_of = (value) => (typeof value === 'string' ? value : '');
export const list_of = (value) => (Array.isArray(value) ? value : []);

/// A reason of the server's as a sentence.
export function sentence(text) {
  return text === '' ? '' : text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.');
}

export const seconds_text = (seconds) => (seconds < 120 ? `${seconds} second${seconds === 1 ? '' : 's'}` : `${Math.ceil(seconds / 60)} minutes`);

/// A moment as the reader's own language writes it; the exact one is in the attribute. `missing` for what is no moment.
export function moment(text, missing = 'never') {
  const at = new Date(text_of(text));
  if (Number.isNaN(at.getTime())) return document.createTextNode(missing);
  const near = Math.abs(Date.now() - at) < 7 * 86_400_000;
  const shown = at.toLocaleString(undefined, near ? { dateStyle: 'medium', timeStyle: 'short' } : { dateStyle: 'medium' });
  return element('time', { datetime: at.toISOString(), title: at.toLocaleString(undefined, { dateStyle: 'full', timeStyle: 'long' }) }, shown);
}

/// A button that copies. Where a browser forbids that, what is to be copied gets selected instead.
export function copy_button(text, shown, label = 'Copy') {
  const button = quiet_button(label, async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = 'Copied';
    } catch {
      getSelection().selectAllChildren(shown);
      button.textContent = 'Selected';
    }
    setTimeout(() => { button.textContent = label; }, 2000);
  });
  // Said aloud when its words change.
  button.setAttribute('aria-live', 'polite');
  return button;
}

// -------------------------------------------------------------------------------------------------- Asking the server

export class ApiError extends Error {
  constructor(status, body, retry_after) {
    super(text_of(body?.error));
    this.status = status;
    this.code = text_of(body?.code);
    this.request_id = text_of(body?.request_id);
    this.retry_after = retry_after;
  }
}

export async function error_of(response) {
  let body = null;
  try { body = await response.json(); } catch { /* not ours: perhaps a proxy's page */ }
  const seconds = Number.parseInt(response.headers.get('Retry-After') ?? '', 10);
  return new ApiError(response.status, body, Number.isFinite(seconds) ? Math.min(Math.max(seconds, 1), 3600) : null);
}

// Goes with every request that changes something: another site's page cannot know it. Here and nowhere else.
let csrf = '';
// What the session owed when the server last said: nothing, a factor, an enrolment.
let needs = '';

export function csrf_header() {
  return csrf === '' ? {} : { 'X-CSRF-Token': csrf };
}

/// A failure of no request's, with the words for it.
export class ToldFailure extends Error {
  constructor(title, text) {
    super(text);
    this.title = title;
  }
}

async function send(method, path, body) {
  const response = await fetch(`/api/v1${path}`, {
    method, credentials: 'same-origin', redirect: 'error', cache: 'no-store',
    headers: { Accept: 'application/json', ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...(method === 'GET' ? {} : csrf_header()) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw await error_of(response);
  const answer = response.status === 204 ? null : await response.json();
  if (typeof answer?.csrf === 'string') ({ csrf } = answer);
  if (typeof answer?.needs === 'string') ({ needs } = answer);
  return answer;
}

/// The session of whoever is signed in, or null.
export async function find_session() {
  try {
    return await send('GET', '/session/');
  } catch (failure) {
    if (failure.status === 401) return null;
    throw failure;
  }
}

/// Asks with the session, if there is one, and says what came of it: for signing in, where 401 is an answer.
export async function ask(method, path, body) {
  const before = csrf;
  try {
    return await send(method, path, body);
  } catch (failure) {
    // Another tab has changed the session meanwhile, and with it the token.
    if (failure.status !== 403 || method === 'GET' || (await find_session()) === null || csrf === before) throw failure;
    return send(method, path, body);
  }
}

/// As `ask`, on a page for people who are signed in: whoever is not any more goes to sign in and comes back.
export async function call(method, path, body) {
  const before = needs;
  try {
    return await ask(method, path, body);
  } catch (failure) {
    // 401 is also how a wrong password or code is refused, so the session itself is asked for.
    if (failure.status !== 401 || (await find_session())?.needs === before) throw failure;
    return go_to_sign_in();
  }
}

/// Never returns: what comes next on this page would only flash up.
export function go_to_sign_in() {
  if (location.pathname === '/sign-in') location.reload();
  else location.replace(`/sign-in?to=${encodeURIComponent(location.pathname)}`);
  return new Promise(() => {});
}

/// Where to go after signing in: one of our own pages that are of use then, whatever the address says.
export function return_path() {
  const to = new URLSearchParams(location.search).get('to') ?? '';
  return /^\/(account|members|keys|demo\/[A-Za-z0-9_-]{1,100})$/.test(to) ? to : '/account';
}

/// What became of signing in elsewhere, of which the server tells a word: [title, text], or nothing.
export function provider_problem() {
  const problems = {
    refused: ['Signing in there did not work.', 'The sign-in service did not confirm who you are, or it took too long. Begin again.'],
    'not-let-in': ['You are not let in here.', 'Your account there gives no access here. Ask whoever runs your organisation’s Parley.'],
    'known-address': ['This account cannot be used for that.', 'Sign in with your password or passkey. If you belong to one organisation alone, you can link the sign-in service on the page of your account.'],
    limit: ['Too many tries.', 'Try again in a minute.'],
    unavailable: ['The sign-in service cannot be reached just now.', 'Try again in a moment, or use another way.'],
  };
  const word = new URLSearchParams(location.search).get('problem') ?? '';
  return Object.hasOwn(problems, word) ? problems[word] : null;
}

/// The secret after the # of the address, which a browser sends to nobody.
export function take_token() {
  let token = location.hash.slice(1);
  try { token = decodeURIComponent(token); } catch { /* as it stands */ }
  // Out of the address bar and of the history, where the next person at this machine would find it.
  if (location.hash !== '') history.replaceState(null, '', location.pathname);
  return token;
}

// ------------------------------------------------------------------------------------------------- Saying what happened

/// What a failure means and what to do: [title, text].
export function explain(failure) {
  if (failure instanceof ToldFailure) return [failure.title, failure.message];
  if (failure.status === undefined) return ['The server could not be reached.', 'Check your connection, then try again.'];
  switch (failure.status) {
    case 401: return ['This could not be confirmed.', sentence(failure.message)];
    case 403:
      if (/requires a second factor/.test(failure.message)) return ['A second factor is needed for this.', 'Set one up on the page of your account.'];
      return ['This is not allowed for you.', `${sentence(failure.message)} Somebody with a higher role can do it or change yours.`];
    case 404: return ['This is not there any more.', 'Load the page again to see what is.'];
    case 409: return ['This cannot be done as things are.', sentence(failure.message)];
    case 429: return ['Too many tries.', failure.retry_after ? `Try again in ${seconds_text(failure.retry_after)}.` : 'Try again in a minute.'];
    case 503: return ['The server is busy just now.', 'Try again in a moment.'];
    case 507: return ['The server has no room left to store this.', 'Whoever runs it has to make some first.'];
    default: return [failure.status >= 500 ? 'Something went wrong on the server.' : 'This did not work.', sentence(failure.message) || `The server answered with status ${failure.status}.`];
  }
}

export function show_problem(node, title, text = '', request_id = '', ...more) {
  node.replaceChildren(
    paragraph(element('strong', {}, title)), text === '' ? '' : paragraph(text), ...more,
    request_id === '' ? '' : element('p', { class: 'small' }, `Request ${request_id}`));
  node.hidden = false;
  node.focus();
}

export function show_failure(node, failure, words = explain(failure)) {
  const enrol = failure.status === 403 && /requires a second factor/.test(failure.message);
  show_problem(node, words[0], words[1], text_of(failure.request_id), enrol ? paragraph(element('a', { href: '/account#second-factor' }, 'Set up a second factor')) : '');
}

/// Says in the section that holds `node` what has been done. The section is told once for everybody, seeing or not.
export function tell(node, text) {
  const result = node.closest('section').querySelector('.result');
  // The same words twice in a row are not announced unless the region was empty in between.
  result.textContent = '';
  setTimeout(() => { result.textContent = text; }, 60);
}

/// Fills `into` with what `load` gives; says so meanwhile, and if it fails, with a button to try again.
export async function fill(into, load) {
  // A button that goes with its row would leave the keyboard at the top of the page.
  const had_focus = into.contains(document.activeElement);
  into.setAttribute('aria-busy', 'true');
  const waiting = setTimeout(() => { if (into.childElementCount === 0) into.append(element('p', { class: 'waiting' }, 'Loading…')); }, 200);
  try {
    into.replaceChildren(...await load());
  } catch (failure) {
    const summary = element('div', { class: 'summary', role: 'alert' });
    const [title, text] = explain(failure);
    summary.append(paragraph(element('strong', {}, title)), paragraph(text),
                   failure.request_id ? element('p', { class: 'small' }, `Request ${failure.request_id}`) : '',
                   /requires a second factor/.test(failure.message) ? paragraph(element('a', { href: '/account#second-factor' }, 'Set up a second factor')) : '',
                   failure.status === 403 ? '' : quiet_button('Try again', () => fill(into, load)));
    into.replaceChildren(summary);
  } finally {
    clearTimeout(waiting);
    into.removeAttribute('aria-busy');
  }
  const heading = into.closest('section')?.querySelector('h2');
  if (had_focus && heading) {
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }
}

// --------------------------------------------------------------------------------------------------------------- Forms

const error_node = (input) => by_id(`${input.id}-error`);

const is_group = (input) => input.tagName === 'FIELDSET';

/// What somebody typed, as the server wants it; of a group of boxes, those that are ticked.
function value_of(input) {
  if (is_group(input)) return [...input.querySelectorAll('input:checked')].map((box) => box.value);
  if (input.type === 'checkbox') return input.checked;
  return input.type === 'password' ? input.value : input.value.trim();
}

export function show_field_error(input, text) {
  error_node(input).textContent = text;
  if (is_group(input)) return;
  if (text === '') input.removeAttribute('aria-invalid'); else input.setAttribute('aria-invalid', 'true');
}

function focus_on(input) {
  input.closest('details')?.setAttribute('open', '');
  (is_group(input) ? input.querySelector('input') : input).focus();
}

let fields_made = 0;

/// A labelled field with room for what is wrong with it. `kind`: an input's type, "textarea", or "select" with `options`
/// [value, text].
export function field({ name, label, hint = '', kind = 'text', options = [], value = '', ...attributes }) {
  const id = `${name}-${fields_made += 1}`;
  const about = { id, name, 'aria-describedby': `${hint === '' ? '' : `${id}-hint `}${id}-error`, ...attributes };
  let input;
  if (kind === 'select') {
    input = element('select', about, ...options.map(([key, text]) => element('option', { value: key, selected: key === value }, text)));
  } else {
    input = kind === 'textarea' ? element('textarea', { rows: 2, ...about }) : element('input', { type: kind, ...about });
    input.value = value;
  }
  const row = kind === 'password'
    ? element('div', { class: 'password-row' }, input, element('button', { type: 'button', class: 'show', 'aria-pressed': 'false', 'aria-label': `Show: ${label}` }, 'Show'))
    : input;
  return element('div', {}, element('label', { for: id }, label), hint === '' ? '' : element('p', { class: 'hint', id: `${id}-hint` }, hint),
                 row, element('p', { class: 'error', id: `${id}-error` }));
}

/// Boxes or dots under one heading. `groups`: [heading or '', [[value, text, hint, ticked]]].
export function choices({ name, legend, hint = '', kind, groups }) {
  const id = `${name}-${fields_made += 1}`;
  const one = ([value, text, explained, ticked]) => element('label', { class: 'tick' },
    element('input', { type: kind, name: `${name}-choice`, value, checked: ticked }),
    element('span', {}, text, explained === '' ? '' : element('span', { class: 'hint' }, explained)));
  return element('fieldset', { id, name, class: 'choices', 'aria-describedby': `${hint === '' ? '' : `${id}-hint `}${id}-error` },
    element('legend', {}, legend), hint === '' ? '' : element('p', { class: 'hint', id: `${id}-hint` }, hint),
    element('div', { class: 'groups' }, ...groups.map(([heading, boxes]) => element('div', heading === '' ? {} : { role: 'group', 'aria-label': heading },
      heading === '' ? '' : element('p', { class: 'group-name', 'aria-hidden': 'true' }, heading), ...boxes.map(one)))),
    element('p', { class: 'error', id: `${id}-error` }));
}

/// Which field a refusal is about, by the names it may have, and what to say beside it.
function field_of(failure, spoken) {
  if (failure.status !== 400 && failure.status !== 409) return [[], ''];
  // The server names a field in front of its reason: "email: is too long". Of passwords it speaks in whole sentences.
  const named = /^([a-z_]+): (.*)$/s.exec(failure.message);
  if (named) return [[named[1]], sentence(`${spoken[named[1]] ?? 'This'} ${named[2]}`)];
  return failure.message.startsWith('the password ') ? [['new', 'password'], sentence(failure.message)] : [[], ''];
}

/// Makes a form ask the server. Its fields are named as the server names them and have an element `ID-error` each; a
/// `.summary` in it takes what is about no field.
///
/// `spoken` says how a field is called in a sentence, `check(values)` what is wrong by field before anything is sent,
/// `send(values)` asks, `done(answer, values)` shows what came of it, `words(failure)` has words where `explain` does not fit.
export function wire_form(form, { spoken = {}, check = () => ({}), send: ask_server, done, words = () => null }) {
  const inputs = () => [...form.elements].filter((input) => input.name !== '' && error_node(input) !== null);
  const button = form.querySelector('[type="submit"]');
  const resting = button.textContent;
  const summary = form.querySelector('.summary');
  let sending = false;

  for (const show of form.querySelectorAll('.show')) {
    const input = show.parentElement.querySelector('input');
    show.addEventListener('click', () => {
      const shown = input.type === 'text';
      input.type = shown ? 'password' : 'text';
      show.setAttribute('aria-pressed', String(!shown));
    });
  }
  for (const input of inputs()) input.addEventListener('input', () => show_field_error(input, ''));

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (sending) return;
    summary.hidden = true;
    for (const input of inputs()) show_field_error(input, '');
    const values = Object.fromEntries(inputs().map((input) => [input.name, value_of(input)]));
    const wrong = check(values);
    const bad = inputs().filter((input) => wrong[input.name]);
    for (const input of bad) show_field_error(input, wrong[input.name]);
    if (bad.length > 0) { focus_on(bad[0]); return; }

    sending = true;
    // aria-disabled and not disabled: the button keeps the focus.
    button.setAttribute('aria-disabled', 'true');
    button.textContent = button.dataset.busy ?? 'Sending…';
    try {
      const answer = await ask_server(values);
      await done(answer, values);
    } catch (failure) {
      const [name, text] = field_of(failure, spoken);
      const input = inputs().find((each) => name.includes(each.name) && each.closest('[hidden]') === null);
      if (input) {
        show_field_error(input, text);
        focus_on(input);
      } else show_failure(summary, failure, words(failure) ?? explain(failure));
    } finally {
      sending = false;
      button.removeAttribute('aria-disabled');
      button.textContent = resting;
    }
  });
  // Until now a press would have sent the form the browser's own way.
  button.disabled = false;
}

export const wrong_email = (text) => (/^[^\s@]+@[^\s@]+$/.test(text) ? '' : 'Give an e-mail address, like name@example.com.');

export function wrong_new_password(text) {
  if (text === '') return 'Choose a password.';
  return length_of(text) < password_length_min ? `This has ${length_of(text)} of at least ${password_length_min} characters.` : '';
}

// ------------------------------------------------------------------------------------------------------------- Dialogs

function open_dialog(title, ...children) {
  const heading = element('h2', { id: `dialog-title-${fields_made += 1}` }, title);
  const dialog = element('dialog', { 'aria-labelledby': heading.id }, heading, ...children);
  document.body.append(dialog);
  dialog.addEventListener('close', () => dialog.remove());
  dialog.showModal();
  return dialog;
}

/// Asks before something that cannot be undone: `send()` runs if it is confirmed. True if it was done.
export function confirm_dialog({ title, text, action, busy, send: ask_server }) {
  return form_dialog({ title, text, action, busy, danger: true, send: ask_server }).then((answer) => answer !== undefined);
}

/// Asks for a few fields. Gives what `send(values)` gave (null where there is nothing to give), or undefined if it
/// was put away.
export function form_dialog({ title, text = '', fields = [], action, busy, danger = false, wide = false, spoken, check, send: ask_server, words }) {
  return new Promise((resolve) => {
    let answer;
    const form = element('form', { class: 'fields', method: 'post', novalidate: true },
      element('div', { class: 'summary', role: 'alert', tabindex: '-1', hidden: true }), ...fields,
      element('p', { class: 'actions' },
        element('button', { type: 'submit', class: danger ? 'button danger' : 'button', 'data-busy': busy }, action),
        quiet_button('Cancel', () => dialog.close())));
    wire_form(form, {
      spoken, check, words, send: ask_server,
      done: (given) => {
        // Not even tried, since something that `send` asked for was put away.
        if (given === undefined) return;
        answer = given;
        dialog.close();
      },
    });
    const dialog = open_dialog(title, text === '' ? '' : element('p', { class: 'lead' }, text), form);
    dialog.classList.toggle('large', wide);
    dialog.addEventListener('close', () => resolve(answer));
  });
}

/// Shows something once that will not be shown again. Escape does not close it: it could not be opened a second time.
export function once_dialog({ title, text, children, kept }) {
  return new Promise((resolve) => {
    const dialog = open_dialog(title, element('p', { class: 'lead' }, text), ...children,
      element('p', { class: 'actions' }, element('button', { type: 'button', class: 'button', onclick: () => dialog.close() }, kept)));
    dialog.addEventListener('cancel', (event) => event.preventDefault());
    dialog.addEventListener('keydown', (event) => { if (event.key === 'Escape') event.preventDefault(); });
    dialog.addEventListener('close', resolve);
  });
}

// ------------------------------------------------------------------------------------------------- Head of the page

const places = [['/members', 'Members', 'members_read'], ['/keys', 'Keys', 'keys_manage'], ['/account', 'Account', null]];

function projects_menu() {
  const list = element('div', { class: 'menu-list' });
  const menu = element('details', { class: 'menu' }, element('summary', {}, 'Projects'), list);
  menu.addEventListener('toggle', () => {
    if (!menu.open || list.querySelector('ul')) return;
    fill(list, async () => {
      const projects = list_of((await call('GET', '/projects/')).projects);
      if (projects.length === 0) return [element('p', { class: 'hint' }, 'There is no project yet. Whoever runs this server makes one with ', code('parley project create'), '.')];
      return [element('ul', {}, ...projects.map((project) => element('li', {}, element('a', { href: `/demo/${encodeURIComponent(text_of(project.slug))}` }, text_of(project.name) || text_of(project.slug)))))];
    });
  });
  const close = () => { menu.open = false; };
  menu.addEventListener('keydown', (event) => { if (event.key === 'Escape' && menu.open) { close(); menu.querySelector('summary').focus(); } });
  document.addEventListener('pointerdown', (event) => { if (!menu.contains(event.target)) close(); });
  menu.addEventListener('focusout', (event) => { if (event.relatedTarget && !menu.contains(event.relatedTarget)) close(); });
  return menu;
}

/// Signs out, then shows the page for signing in. If that failed, says so in `problem`.
export async function sign_out(problem) {
  try {
    await ask('DELETE', '/session/');
  } catch (failure) {
    if (failure.status !== 401) {
      show_failure(problem, failure, ['You are still signed in.', explain(failure).join(' ')]);
      return;
    }
  }
  location.replace('/sign-in');
}

/// The session of whoever is signed in, after putting the head onto the page. Whoever is not goes to sign in. What the
/// head leaves out is only of no use: the server decides.
export async function open_page() {
  let session;
  try {
    session = await find_session();
  } catch (failure) {
    show_failure(by_id('problem'), failure);
    throw failure;
  }
  if (session === null || session.needs !== 'nothing') return go_to_sign_in();
  // Kept by the browser and shown again by Back: whoever presses it may be somebody else by now.
  window.addEventListener('pageshow', (event) => { if (event.persisted) location.reload(); });
  const scopes = list_of(session.scopes);
  const links = places.filter(([, , scope]) => scope === null || scopes.includes(scope))
    .map(([path, text]) => element('a', { href: path, 'aria-current': path === location.pathname ? 'page' : null }, text));
  by_id('head').replaceChildren(
    element('a', { class: 'brand', href: '/', 'aria-label': 'Start page of this server' }, element('img', { src: by_id('icon').href, alt: '', width: 28, height: 28 })),
    element('p', { class: 'project' }, text_of(session.organisation?.name) || 'Parley'),
    element('nav', { 'aria-label': 'Main' }, session.organisation ? projects_menu() : '', ...links),
    quiet_button('Sign out', () => sign_out(by_id('problem'))));
  return session;
}
