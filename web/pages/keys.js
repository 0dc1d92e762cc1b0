// The organisation's keys: what there is, new ones, and the end of old ones.

import { by_id, call, choices, code, confirm_dialog, copy_button, element, explain, field, fill, form_dialog, list_of, moment, once_dialog, open_page, paragraph, quiet_button, show_failure, show_problem, tell, text_of } from '/assets/page.js';

// What a key may hold, in the words of people. `public`: also one that stands in a web page.
const scope_groups = [
  ['Asking', [
    ['project_read', 'See a project', 'its name and settings', true],
    ['project_search', 'Search', 'a project’s documents', true],
    ['chat_create', 'Chat', 'start chats and send messages', true]]],
  ['Documents', [
    ['project_sources_read', 'List sources', '', false],
    ['project_sources_create', 'Add sources', '', false],
    ['project_sources_delete', 'Remove sources', '', false],
    ['project_sync', 'Read sources again', '', false]]],
  ['Looking after it', [
    ['chats_read', 'Read chats', 'everybody’s', false],
    ['chats_delete', 'Delete chats', '', false],
    ['project_manage', 'Manage projects', 'make them, change who may reach them', false],
    ['keys_manage', 'Manage keys', 'make, rotate and revoke them', false],
    ['trail_read', 'Read the trail', 'the record of who did what', false]]],
];
const all_scopes = scope_groups.flatMap(([, scopes]) => scopes);
const public_scopes = all_scopes.filter((each) => each[3]).map(([name]) => name);
const spoken_scope = (name) => all_scopes.find((each) => each[0] === name)?.[1] ?? name;

const lifetime_days_max = 90;  // without an exception

const session = await open_page();
const problem = by_id('problem');
let projects = [];

async function attempt(action) {
  problem.hidden = true;
  try { await action(); } catch (failure) { show_failure(problem, failure); }
}

// The list

function state_of(key) {
  if (key.state === 'revoked' || key.state === 'expired') return { name: key.state, class: '', ended: true };
  if (key.state === 'idle') return { name: 'switched off', class: 'amber', idle: true };
  const days = Math.ceil((new Date(text_of(key.expires_at)) - Date.now()) / 86_400_000);
  return days <= 14 ? { name: `ends in ${days} day${days === 1 ? '' : 's'}`, class: 'amber' } : { name: 'active', class: 'pine' };
}

const fact = (name, ...value) => element('div', {}, element('dt', {}, name), element('dd', {}, ...value));

const codes = (texts) => texts.flatMap((each, i) => [i === 0 ? '' : ', ', code(text_of(each))]);

function key_row(key) {
  const state = state_of(key);
  const name = text_of(key.name) || 'Key without a name';
  const scopes = list_of(key.scopes);
  const project = projects.find((each) => each.id === key.project || each.slug === key.project);
  const origins = list_of(key.origins);
  const addresses = list_of(key.addresses);
  const groups = key.all_groups === true ? ['every group'] : list_of(key.groups);
  const reason = text_of(key.exception?.reason);
  return element('li', { class: state.ended ? 'row ended' : 'row' },
    element('div', { class: 'row-main' },
      element('p', { class: 'row-name' }, name, element('span', { class: `badge ${state.class}` }, state.name)),
      element('p', { class: 'facts' }, element('code', {}, `${key.kind === 'public' ? 'pk' : 'sk'}_…${text_of(key.last4)}`), key.kind === 'public' ? ' for web pages' : ' for programs',
        ', ', key.project ? text_of(project?.name) || 'one project' : 'all projects'),
      state.idle ? element('p', { class: 'facts amber' }, 'Not used for 30 days. Switch it on again, or revoke it if nobody needs it.') : '',
      element('dl', { class: 'grid' },
        fact('Created', moment(key.created_at)), fact('Last used', moment(key.last_used_at)),
        key.revoked_at ? fact('Revoked', moment(key.revoked_at)) : fact(state.ended ? 'Expired' : 'Ends', moment(key.expires_at))),
      element('details', { class: 'more' }, element('summary', {}, `May do ${scopes.length === 1 ? 'one thing' : `${scopes.length} things`}${origins.length > 0 ? `, on ${origins.length === 1 ? 'one site' : `${origins.length} sites`}` : ''}`),
        element('ul', { class: 'chips' }, ...scopes.map((each) => element('li', { title: text_of(each) }, spoken_scope(each)))),
        origins.length > 0 ? element('p', { class: 'facts' }, 'On ', ...codes(origins)) : '',
        addresses.length > 0 ? element('p', { class: 'facts' }, 'Only from ', ...codes(addresses)) : '',
        groups.length > 0 ? element('p', { class: 'facts' }, `Reads documents of ${groups.map(text_of).join(', ')}`) : '',
        reason === '' ? '' : element('p', { class: 'facts' }, `Lives longer than others: ${reason}`))),
    state.ended ? '' : element('div', { class: 'row-actions' },
      state.idle ? quiet_button('Switch on', () => attempt(() => enable(key, name)), { 'aria-label': `Switch on ${name}` }) : '',
      quiet_button('Rotate…', () => attempt(() => rotate(key, name)), { 'aria-label': `Rotate ${name}` }),
      quiet_button('Revoke…', () => attempt(() => revoke(key, name)), { 'aria-label': `Revoke ${name}` })));
}

async function load_keys() {
  await fill(by_id('keys'), async () => {
    const keys = list_of((await call('GET', '/keys/')).keys);
    by_id('create').hidden = false;
    const [live, ended] = [keys.filter((key) => !state_of(key).ended), keys.filter((key) => state_of(key).ended)];
    return [
      live.length > 0 ? element('ul', { class: 'rows' }, ...live.map(key_row))
        : element('p', { class: 'none' }, 'There is no key in use. Create one for a program that asks this server, or for a chat widget on your site. People who are signed in need none.'),
      ended.length === 0 ? '' : element('details', { class: 'ended-keys' }, element('summary', {}, `Ended keys (${ended.length})`), element('ul', { class: 'rows' }, ...ended.map(key_row)))];
  });
}

// What can be done with one

async function enable(key, name) {
  await call('POST', `/keys/${encodeURIComponent(key.id)}/enable/`, {});
  tell(by_id('keys'), `“${name}” works again.`);
  await load_keys();
}

async function rotate(key, name) {
  const made = await form_dialog({
    title: `Rotate “${name}”`, action: 'Make the new key', busy: 'Making it…',
    text: 'You get a new key that may do the same. The old one goes on working for a while, so that you can move over without a gap.',
    fields: [
      field({ name: 'overlap', label: 'The old key ends', kind: 'select', value: '24h', options: [['1h', 'in an hour'], ['24h', 'in a day'], ['3d', 'in three days'], ['7d', 'in a week']] }),
      ...(key.exception ? [field({ name: 'exception', label: `Why longer than ${lifetime_days_max} days again? (optional)`, hint: `Without a reason the new key works for ${lifetime_days_max} days.`, maxlength: 300, autocomplete: 'off' })] : [])],
    spoken: { overlap: 'The time', exception: 'The reason' },
    send: ({ overlap, exception = '' }) => call('POST', `/keys/${encodeURIComponent(key.id)}/rotate/`, { overlap, ...(exception === '' ? {} : { exception }) }),
  });
  if (made) await show_new(made, 'Your new key', `“${name}” has been rotated.`);
}

async function revoke(key, name) {
  const done = await confirm_dialog({
    title: `Revoke “${name}”?`, action: 'Revoke it', busy: 'Revoking…',
    text: `It stops working at once, and for good. ${key.last_used_at ? 'It has been in use: what uses it needs another key first.' : 'It has never been used.'}`,
    send: () => call('DELETE', `/keys/${encodeURIComponent(key.id)}/`),
  });
  if (!done) return;
  tell(by_id('keys'), `“${name}” is revoked.`);
  await load_keys();
}

async function show_new(made, title, told) {
  const shown = element('code', { class: 'secret' }, text_of(made.key));
  await once_dialog({
    title, kept: 'I have put it away',
    text: made.kind === 'public' ? 'Put it into your page. You see it this one time.' : 'You see it this one time, so copy it now to where the program reads its secrets from. Who has it can act for your organisation: never put it into a web page or a repository.',
    children: [element('p', { class: 'secret-row' }, shown, copy_button(text_of(made.key), shown))],
  });
  tell(by_id('keys'), told);
  await load_keys();
}

// A new one

const presets = {
  read: { kind: 'secret', scopes: ['project_read', 'project_search', 'project_sources_read'] },
  widget: { kind: 'public', scopes: public_scopes },
  everything: { kind: 'secret', scopes: all_scopes.map(([name]) => name) },
};
const lines_of = (text) => text.split(/[\s,]+/).filter((line) => line !== '');

by_id('create').addEventListener('click', () => attempt(async () => {
  const held = list_of(session.scopes);
  const may_give = (name) => held.includes(name);

  const purpose = choices({ name: 'purpose', legend: 'What is it for?', kind: 'radio', groups: [['', [
    ['read', 'Read only', 'a program that searches, and changes nothing', true],
    ['widget', 'Chat widget', 'a web page that asks; everybody can read this key there', false],
    ['everything', 'Everything', 'a program you trust with all that keys can do', false],
    ['own', 'Something else', 'choose below', false]]]] });
  const kind = field({ name: 'kind', label: 'Where it is used', kind: 'select', value: 'secret', options: [['secret', 'In a program, kept secret'], ['public', 'In a web page, readable by everybody']] });
  const scopes = choices({ name: 'scopes', legend: 'What it may do', kind: 'checkbox', groups: scope_groups
    .map(([heading, group]) => [heading, group.filter(([name]) => may_give(name)).map(([name, text, hint]) => [name, text, hint, false])])
    .filter(([, boxes]) => boxes.length > 0) });
  const origins = field({ name: 'origins', label: 'On which sites', hint: 'One address a line, like https://www.example.com. The project must list them, too.', kind: 'textarea', spellcheck: 'false', autocapitalize: 'off' });
  const addresses = field({ name: 'addresses', label: 'Only from these network addresses (optional)', hint: 'One a line, like 203.0.113.7 or 2001:db8::/32. Empty: from anywhere.', kind: 'textarea', spellcheck: 'false', autocapitalize: 'off' });
  const groups = field({ name: 'groups', label: 'Also documents of these groups (optional)', hint: 'One name a line. Empty: only documents that are in no group.', kind: 'textarea', spellcheck: 'false', autocapitalize: 'off' });
  const more = element('details', { class: 'more' }, element('summary', {}, 'Network addresses and groups'), element('div', { class: 'fields' }, addresses, groups));
  const exception = field({ name: 'exception', label: `Why longer than ${lifetime_days_max} days?`, hint: 'Stands in the list for whoever looks after the keys.', maxlength: 300, autocomplete: 'off' });
  const expires = field({ name: 'expires', label: 'How long it works', kind: 'select', value: '90d', options: [['7d', 'A week'], ['30d', '30 days'], ['90d', '90 days'], ['180d', 'Half a year'], ['365d', 'A year']] });

  const chosen = () => purpose.querySelector('input:checked').value;
  const is_long = () => Number.parseInt(expires.querySelector('select').value, 10) > lifetime_days_max;
  const refresh = () => {
    const is_public = kind.querySelector('select').value === 'public';
    kind.hidden = chosen() !== 'own';
    origins.hidden = !is_public;
    more.hidden = is_public;
    exception.hidden = !is_long();
    for (const box of scopes.querySelectorAll('input')) {
      box.disabled = is_public && !public_scopes.includes(box.value);
      if (box.disabled) box.checked = false;
    }
  };
  const choose = () => {
    const preset = presets[chosen()];
    if (preset) {
      kind.querySelector('select').value = preset.kind;
      for (const box of scopes.querySelectorAll('input')) box.checked = preset.scopes.includes(box.value);
    }
    refresh();
  };
  purpose.addEventListener('change', choose);
  kind.addEventListener('change', refresh);
  expires.addEventListener('change', refresh);
  scopes.addEventListener('change', () => {
    purpose.querySelector('[value="own"]').checked = true;
    refresh();
  });
  choose();

  const made = await form_dialog({
    title: 'Create a key', action: 'Create the key', busy: 'Creating…', wide: true,
    fields: [
      field({ name: 'name', label: 'Name', hint: 'Where it is used, so that you know later whether it is still needed.', maxlength: 100, autocomplete: 'off' }),
      purpose, kind, scopes, origins,
      field({ name: 'project_slug', label: 'For which project', kind: 'select', options: [['', 'All projects'], ...projects.map((each) => [text_of(each.slug), text_of(each.name) || text_of(each.slug)])] }),
      expires, exception, more],
    spoken: { name: 'The name', scopes: 'What it may do', origins: 'The list of sites', addresses: 'The list of addresses', expires: 'The time', exception: 'The reason', project_slug: 'The project', groups: 'The list of groups', kind: 'The kind' },
    check: (values) => ({
      name: values.name === '' ? 'Give it a name.' : '',
      scopes: values.scopes.length === 0 ? 'Tick at least one.' : '',
      origins: values.kind === 'public' && lines_of(values.origins).length === 0 ? 'A key for web pages needs the sites they are on.' : '',
      exception: is_long() && values.exception === '' ? 'Say why in a few words.' : '',
    }),
    send: (values) => call('POST', '/keys/', {
      name: values.name, kind: values.kind, scopes: values.scopes, expires: values.expires,
      ...(values.project_slug === '' ? { all_projects: true } : { project_slug: values.project_slug }),
      ...(values.kind === 'public' ? { origins: lines_of(values.origins) } : {}),
      ...(values.kind === 'secret' && lines_of(values.addresses).length > 0 ? { addresses: lines_of(values.addresses) } : {}),
      ...(values.kind === 'secret' && lines_of(values.groups).length > 0 ? { groups: lines_of(values.groups) } : {}),
      ...(is_long() ? { exception: values.exception } : {}),
    }),
  });
  if (made) await show_new(made, 'Your new key', `“${text_of(made.name)}” is created.`);
}));

if (session.organisation) {
  try {
    projects = list_of((await call('GET', '/projects/')).projects);
  } catch (failure) {
    // The keys can be shown without their projects' names.
    if (failure.status !== 403) show_problem(problem, 'The projects could not be listed.', explain(failure).join(' '), text_of(failure.request_id));
  }
  await load_keys();
} else {
  by_id('keys').replaceChildren(paragraph('Keys belong to an organisation. ', element('a', { href: '/account#organisation' }, 'Choose the one you want to act for'), '.'));
}
