// Who belongs to the organisation, as what; invitations; and whether everybody needs a second factor.

import { by_id, call, confirm_dialog, copy_button, element, field, fill, form_dialog, list_of, moment, once_dialog, open_page, paragraph, quiet_button, show_failure, tell, text_of, wrong_email } from '/assets/page.js';

const roles = ['viewer', 'editor', 'maintainer', 'administrator'];
const project_roles = roles.slice(0, 3);  // there is nothing in a project that a maintainer may not do
const spoken_role = (role) => (roles.includes(role) ? role[0].toUpperCase() + role.slice(1) : text_of(role));

const session = await open_page();
const problem = by_id('problem');
const own_role = text_of(session.organisation?.role);
const may = (scope) => list_of(session.scopes).includes(scope);
let projects = [];

async function attempt(action) {
  problem.hidden = true;
  try { await action(); } catch (failure) { show_failure(problem, failure); }
}

/// Nobody gives a role above their own.
const roles_to_give = () => roles.slice(0, roles.indexOf(own_role) + 1);
const project_name = (slug) => text_of(projects.find((each) => each.slug === slug)?.name) || text_of(slug);

// Members

/// An address that breaks before its @ first, should it not fit.
const breakable = (email) => email.split(/(?=@)/).flatMap((part, i) => (i === 0 ? [part] : [element('wbr'), part]));

function member_row(member) {
  const email = text_of(member.email);
  const is_self = member.id === session.account?.id;
  // Only administrators change administrators; everybody may leave.
  const may_change = may('members_manage') && (own_role === 'administrator' || member.role !== 'administrator');
  const grants = list_of(member.grants);
  return element('li', { class: member.disabled ? 'row ended' : 'row' },
    element('div', { class: 'row-main' },
      element('p', { class: 'row-name' }, element('span', {}, ...breakable(email)), is_self ? element('span', { class: 'badge pine' }, 'you') : '', member.disabled ? element('span', { class: 'badge' }, 'disabled') : ''),
      element('p', { class: 'facts' }, spoken_role(member.role), ...grants.map((grant) => `, ${text_of(grant.role)} of ${project_name(grant.project)}`)),
      list_of(member.groups).length === 0 ? '' : element('p', { class: 'facts' }, `Reads the documents of ${list_of(member.groups).map(text_of).join(', ')}`),
      element('p', { class: 'facts' }, member.second_factor ? 'With a second factor' : element('span', { class: 'amber' }, 'Without a second factor'), ', last seen ', moment(member.last_seen_at))),
    element('div', { class: 'row-actions' },
      may('organisation_manage') ? quiet_button('Change groups…', () => attempt(() => change_groups(member, email)), { 'aria-label': `Change groups of ${email}` }) : '',
      may_change ? quiet_button('Change role…', () => attempt(() => change(member, email)), { 'aria-label': `Change role of ${email}` }) : '',
      may_change || is_self ? quiet_button(is_self ? 'Leave…' : 'Remove…', () => attempt(() => remove(member, email, is_self)), { 'aria-label': is_self ? 'Leave the organisation' : `Remove ${email}` }) : ''));
}

async function load_members() {
  await fill(by_id('members'), async () => {
    const members = list_of((await call('GET', '/members/')).members);
    members.sort((a, b) => roles.indexOf(b.role) - roles.indexOf(a.role) || text_of(a.email).localeCompare(text_of(b.email)));
    return [element('ul', { class: 'rows' }, ...members.map(member_row)),
            members.length === 1 ? element('p', { class: 'none' }, 'You are alone here. Invite somebody, so that there is help when you lose your way in.') : ''];
  });
}

async function change(member, email) {
  const granted = new Map(list_of(member.grants).map((grant) => [grant.project, grant.role]));
  const grant_fields = projects.map((project, i) => field({ name: `grant_${i}`, label: text_of(project.name) || text_of(project.slug), kind: 'select', value: granted.get(project.slug) ?? '', options: [['', 'Nothing more'], ...project_roles.map((role) => [role, spoken_role(role)])] }));
  const listed = new Set(projects.map((project) => project.slug));
  const done = await form_dialog({
    title: `Role of ${email}`, action: 'Save', busy: 'Saving…', wide: true,
    fields: [
      field({ name: 'role', label: 'In the organisation', kind: 'select', value: text_of(member.role), options: roles_to_give().map((role) => [role, spoken_role(role)]) }),
      ...(projects.length === 0 ? [] : [element('fieldset', { class: 'grants' }, element('legend', {}, 'More on single projects'), element('p', { class: 'hint' }, 'A role on a project counts if it is higher than the one in the organisation.'), element('div', { class: 'groups' }, ...grant_fields))])],
    spoken: { role: 'The role', grants: 'The projects' },
    send: (values) => call('PUT', `/members/${encodeURIComponent(member.id)}/`, {
      role: values.role,
      grants: [...projects.map((project, i) => ({ project: project.slug, role: values[`grant_${i}`] })).filter((grant) => grant.role !== ''),
               // What this page could not show is not what somebody took away.
               ...list_of(member.grants).filter((grant) => !listed.has(grant.project))],
    }),
  });
  if (done === undefined) return;
  tell(by_id('members'), `The role of ${email} is changed.`);
  await load_members();
}

/// One name a line or with commas between them, as people type lists.
const names_in = (text) => [...new Set(text.split(/[\n,]/).map((name) => name.trim()).filter((name) => name !== ''))];

async function change_groups(member, email) {
  const done = await form_dialog({
    title: `Groups of ${email}`, action: 'Save', busy: 'Saving…',
    text: 'Documents can be closed to all but some groups. Members read the documents without groups, and those of their own groups.',
    fields: [field({ name: 'groups', label: 'Groups', kind: 'textarea', rows: '4', hint: 'One on each line. Letters large and small differ.', value: list_of(member.groups).map(text_of).join('\n'), autocomplete: 'off', spellcheck: 'false', autocapitalize: 'off' })],
    spoken: { groups: 'The list of groups' },
    check: ({ groups }) => {
      const names = names_in(groups);
      const long = names.find((name) => new TextEncoder().encode(name).length > 64);
      return { groups: names.length > 32 ? 'Give at most 32 groups.' : long === undefined ? '' : `“${long}” is too long for the name of a group.` };
    },
    send: (values) => call('PUT', `/members/${encodeURIComponent(member.id)}/`, { role: text_of(member.role), groups: names_in(values.groups) }),
  });
  if (done === undefined) return;
  tell(by_id('members'), `The groups of ${email} are changed.`);
  await load_members();
}

async function remove(member, email, is_self) {
  const done = await confirm_dialog({
    title: is_self ? 'Leave this organisation?' : `Remove ${email}?`, action: is_self ? 'Leave' : 'Remove', busy: is_self ? 'Leaving…' : 'Removing…',
    text: is_self ? 'You cannot come back without an invitation.' : 'Their sessions end for this organisation at once. Keys they made go on working: look at these, too.',
    send: () => call('DELETE', `/members/${encodeURIComponent(member.id)}/`),
  });
  if (!done) return;
  if (is_self) { location.replace('/account'); return; }
  tell(by_id('members'), `${email} is removed.`);
  await load_members();
}

// Invitations

function invitation_row(each) {
  const email = text_of(each.email);
  return element('li', { class: 'row' },
    element('div', { class: 'row-main' }, element('p', { class: 'row-name' }, email),
      element('p', { class: 'facts' }, `As ${text_of(each.role)}, invited `, moment(each.created_at), ', holds until ', moment(each.expires_at))),
    element('div', { class: 'row-actions' }, quiet_button('Withdraw…', () => attempt(async () => {
      const done = await confirm_dialog({ title: 'Withdraw the invitation?', text: `The link that ${email} has works no more.`, action: 'Withdraw it', busy: 'Withdrawing…', send: () => call('DELETE', `/invitations/${encodeURIComponent(each.id)}/`) });
      if (!done) return;
      tell(by_id('invitations'), `The invitation of ${email} is withdrawn.`);
      await load_invitations();
    }), { 'aria-label': `Withdraw the invitation of ${email}` })));
}

async function load_invitations() {
  await fill(by_id('invitations'), async () => {
    const invitations = list_of((await call('GET', '/invitations/')).invitations);
    return [invitations.length === 0 ? element('p', { class: 'none' }, 'None is waiting for an answer.') : element('ul', { class: 'rows' }, ...invitations.map(invitation_row))];
  });
}

by_id('invite').addEventListener('click', () => attempt(async () => {
  const project = field({ name: 'project', label: 'More on one project (optional)', kind: 'select', options: [['', 'No project'], ...projects.map((each) => [text_of(each.slug), text_of(each.name) || text_of(each.slug)])] });
  const project_role = field({ name: 'project_role', label: 'Role there', kind: 'select', value: 'editor', options: project_roles.map((role) => [role, spoken_role(role)]) });
  project.hidden = projects.length === 0;
  project_role.hidden = true;
  project.addEventListener('change', () => { project_role.hidden = project.querySelector('select').value === ''; });
  const made = await form_dialog({
    title: 'Invite somebody', action: 'Invite', busy: 'Inviting…',
    text: session.mail === false ? 'This server sends no mail. You get a link to hand over yourself.' : 'They get a link by mail, to choose a password with.',
    fields: [field({ name: 'email', label: 'E-mail address', kind: 'email', autocomplete: 'off', spellcheck: 'false', autocapitalize: 'off' }),
             field({ name: 'role', label: 'Role', kind: 'select', value: 'viewer', options: roles_to_give().map((role) => [role, spoken_role(role)]) }), project, project_role],
    spoken: { email: 'The e-mail address', role: 'The role', project: 'The project', project_role: 'The role there' },
    check: ({ email }) => ({ email: wrong_email(email) }),
    send: (values) => call('POST', '/invitations/', { email: values.email, role: values.role, ...(values.project === '' ? {} : { project: values.project, project_role: values.project_role }) }),
  });
  if (!made) return;
  if (text_of(made.link) !== '') {
    const shown = element('code', { class: 'secret' }, made.link);
    await once_dialog({
      title: 'Hand this link over', kept: 'I have copied it', children: [element('p', { class: 'secret-row' }, shown, copy_button(made.link, shown))],
      text: `Send it to ${text_of(made.email)} in a way that nobody else reads. It works once, and is shown this one time.`,
    });
  }
  tell(by_id('invitations'), `${text_of(made.email)} is invited.`);
  await load_invitations();
}));

// The rule

async function load_rule() {
  await fill(by_id('rule'), async () => {
    const organisation = await call('GET', '/organisation/');
    const required = organisation.require_second_factor === true;
    return [element('div', { class: 'row' }, element('div', { class: 'row-main' }, element('p', { class: 'row-name' }, required ? 'Required' : 'Not required', element('span', { class: required ? 'badge pine' : 'badge' }, required ? 'on' : 'off'))),
      element('div', { class: 'row-actions' }, quiet_button(required ? 'Require it no more…' : 'Require it…', () => attempt(() => set_rule(!required)))))];
  });
}

async function set_rule(required) {
  const done = await confirm_dialog({
    title: required ? 'Require a second factor?' : 'Require it no more?', action: required ? 'Require it' : 'Require it no more', busy: 'Saving…',
    text: required ? 'Everybody who has shown none is signed out, you included if that is so, and sets one up at the next sign-in.' : 'A password alone is enough then for members without a second factor.',
    send: () => call('PUT', '/organisation/', { require_second_factor: required }),
  });
  if (!done) return;
  tell(by_id('rule'), required ? 'A second factor is required now.' : 'A second factor is required no more.');
  await load_rule();
}

if (session.organisation) {
  by_id('lead').textContent = `Who belongs to ${text_of(session.organisation.name)}, and what they may do.`;
  try { projects = list_of((await call('GET', '/projects/')).projects); } catch { /* roles can be shown and changed without */ }
  by_id('invite').hidden = !may('members_manage');
  by_id('invitations-section').hidden = !may('members_manage');
  by_id('rule-section').hidden = !may('organisation_manage');
  await Promise.all([load_members(), may('members_manage') ? load_invitations() : null, may('organisation_manage') ? load_rule() : null]);
} else {
  by_id('members').replaceChildren(paragraph('Members belong to an organisation. ', element('a', { href: '/account#organisation' }, 'Choose the one you want to act for'), '.'));
}
