// What people do on the pages, in Chromium, against an interface in memory (people_fixture.mjs): sign in, show and set up
// second factors, look after their account, members and keys. And what no page may do.
//
//   node web/pages/people_test.mjs [PART OF A NAME]
//
// Needs playwright-core and axe-core (scripts/lib/page_tests gets them) and Chromium; says so and is skipped otherwise.

import assert from 'node:assert/strict';

import { accessibility_problems, open_browser, run_tests, send_json, serve_pages } from './page_fixture.mjs';
import { answer_people, good_code, make_people, password } from './people_fixture.mjs';

let state = make_people();
const { origin, close } = await serve_pages((request, response) => {
  const slug = /^\/api\/v1\/projects\/([a-z]+)\/$/.exec(request.pathname)?.[1];
  const signed_in = (request.headers.cookie ?? '') !== '';
  if (slug) {
    state.calls.push(['GET', `/projects/${slug}/`, signed_in]);
    if (slug !== 'docs' && !signed_in) send_json(response, 401, { error: 'a credential is needed', code: 'unauthenticated' });
    else send_json(response, 200, { name: slug, suggested_questions: [], initial_message: '', filters: [] });
  } else if (request.pathname === '/api/v1/chats/') {
    state.calls.push(['POST', '/chats/', { csrf: request.headers['x-csrf-token'], bearer: request.headers.authorization, signed_in }]);
    send_json(response, 201, { chat_uuid: 'c', answered: true, ai_message: { message: 'An answer.', sources: [] } });
  } else if (request.pathname === '/api/v1/visitors/') send_json(response, 201, { token: 'vt', expires_in: 3600 });
  else if (request.pathname === '/readyz') send_json(response, 200, { status: 'ready' });
  else if (!answer_people(state, request, response)) send_json(response, 404, { error: 'no such address', code: 'not_found', request_id: '' });
});

const browser = await open_browser();
const tests = [];
/// `as`: what the session owes before the page is opened; none if nobody is signed in. `arrange` changes the state first.
const test = (name, path, run, options = {}) => tests.push({ name, path, run, options });

const asked = (method, path) => state.calls.filter((call) => call[0] === method && call[1] === path);
const changes = () => state.calls.filter(([method]) => method !== 'GET').map(([method, path]) => `${method} ${path}`);
const press = async (page, ...keys) => { for (const key of keys) await page.keyboard.press(key); };
const dialog = (page) => page.locator('dialog').last();
const submit = (page) => dialog(page).locator('[type="submit"]').click();
const button = (page, name) => page.getByRole('button', { name, exact: true });
const at_path = (page, path) => page.waitForURL(`${origin}${path}`);
const told = (page, text) => page.locator('.result').getByText(text).waitFor();

/// Nothing that is secret is anywhere but in the page.
async function nothing_kept(page, ...secrets) {
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href]));
  for (const secret of secrets) assert.ok(!kept.includes(secret), kept);
  assert.ok(!kept.includes('csrf'));
}

/// Tab until the element that matches has the focus: what a keyboard cannot reach, a mouse must not be needed for.
async function tab_to(page, selector, max = 60) {
  for (let i = 0; i < max; i += 1) {
    await page.keyboard.press('Tab');
    if (await page.evaluate((wanted) => document.activeElement.matches(wanted), selector)) return;
  }
  assert.fail(`no way to ${selector} by Tab`);
}

/// Chromium's own authenticator, as if a finger were on it.
async function give_authenticator(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('WebAuthn.enable');
  await session.send('WebAuthn.addVirtualAuthenticator', { options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true } });
}

// Signing in

test('somebody signs in with keys alone, and makes a key of theirs', '/sign-in?to=/keys', async (page) => {
  await tab_to(page, '#email');
  await page.keyboard.type(state.account.email);
  await tab_to(page, '#password');
  await page.keyboard.type(password);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Second step' }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.name), 'totp', 'one can type at once');
  await page.keyboard.type(good_code);
  await page.keyboard.press('Enter');
  await at_path(page, '/keys');
  await page.locator('#keys .row').first().waitFor();
  await tab_to(page, '#create');
  await page.keyboard.press('Enter');
  await page.locator('dialog').waitFor();
  await tab_to(page, 'dialog [name="name"]');
  await page.keyboard.type('By keyboard');
  await tab_to(page, 'dialog [type="submit"]');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Your new key' }).waitFor();
  await press(page, 'Escape');
  assert.equal(await page.locator('dialog').count(), 1, 'what is shown once does not go by Escape');
  await tab_to(page, 'dialog .button');
  await page.keyboard.press('Enter');
  await told(page, '“By keyboard” is created.');
  assert.notEqual(await page.evaluate(() => document.activeElement.tagName), 'BODY', 'the focus is not lost');
  const [[, , made]] = asked('POST', '/keys/');
  assert.deepEqual(made, { name: 'By keyboard', kind: 'secret', scopes: ['project_read', 'project_search', 'project_sources_read'], expires: '90d', all_projects: true });
}, { arrange: (s) => { s.totp = true; } });

test('a wrong password is said, and what was typed stays', '/sign-in', async (page) => {
  await page.locator('#email').fill(state.account.email);
  await page.locator('#password').fill('not the right one');
  await button(page, 'Sign in').click();
  await page.getByText('do not belong together').waitFor();
  assert.equal(await page.locator('#email').inputValue(), state.account.email);
  assert.ok(await page.evaluate(() => document.activeElement.classList.contains('summary')));
  await page.locator('#password').fill(password);
  await button(page, 'Sign in').click();
  await at_path(page, '/account');
  await nothing_kept(page, password);
});

test('an empty form is refused here', '/sign-in', async (page) => {
  await button(page, 'Sign in').click();
  assert.equal(await page.locator('[aria-invalid="true"]').count(), 2);
  assert.deepEqual(changes(), []);
});

for (const to of ['https://evil.invalid/', '//evil.invalid/keys', '/\\evil.invalid', 'javascript:alert(1)', '/keys/../demo/x', '/keys?x', '/demo/a/b', '/api/v1/session/', '\t/keys', '/keys#x']) {
  test(`after signing in nobody is sent to ${JSON.stringify(to)}`, `/sign-in?to=${encodeURIComponent(to)}`, async (page) => {
    await at_path(page, '/account');
  }, { as: 'nothing' });
}

test('too many tries say for how long', '/sign-in', async (page) => {
  state.fail = () => [429, 'rate_limited', 'too many tries', { 'Retry-After': '90' }];
  await page.locator('#email').fill(state.account.email);
  await page.locator('#password').fill(password);
  await button(page, 'Sign in').click();
  await page.getByText('Try again in 90 seconds.').waitFor();
});

test('a recovery code lets in once', '/sign-in', async (page) => {
  await button(page, 'Use a recovery code instead').click();
  await page.locator('[name="recovery_code"]').fill('no such code');
  await page.locator('#factor-forms form:not([hidden]) [type="submit"]').last().click();
  await page.getByText('That did not match.').waitFor();
  await page.locator('[name="recovery_code"]').fill('one-of-them');
  await page.locator('#factor-forms form:not([hidden]) [type="submit"]').last().click();
  await at_path(page, '/account');
  assert.deepEqual(state.recovery, []);
}, { as: 'factor', arrange: (s) => { s.totp = true; s.recovery = ['one-of-them']; } });

test('a second factor that is owed cannot be left out', '/keys', async (page) => {
  await page.getByRole('heading', { name: 'Second step' }).waitFor();
  assert.equal(page.url(), `${origin}/sign-in?to=%2Fkeys`);
  assert.equal(asked('GET', '/keys/').length, 0);
  await button(page, 'Sign in as somebody else').click();
  await page.locator('#email').waitFor();
  assert.equal(state.sessions.size, 0);
}, { as: 'factor', arrange: (s) => { s.totp = true; } });

test('an enrolment that is owed cannot be left out, nor its recovery codes', '/members', async (page) => {
  await page.getByRole('heading', { name: 'Set up a second factor' }).waitFor();
  assert.match(await page.locator('.qr').getAttribute('src'), /^data:image\/svg\+xml,/);
  assert.ok(await page.locator('.qr').evaluate((image) => image.naturalWidth > 0), 'the policy lets it be shown');
  await page.locator('[name="code"]').fill('000000');
  await button(page, 'Confirm').click();
  await page.getByText('That did not match.').waitFor();
  await page.locator('[name="code"]').fill('123 456');
  await button(page, 'Confirm').click();
  await page.getByRole('heading', { name: 'Keep your recovery codes' }).waitFor();
  assert.deepEqual(await page.locator('.codes code').allTextContents(), state.recovery);
  await button(page, 'Continue').click();
  await page.getByText('Copy or download the codes first').waitFor();
  const downloading = page.waitForEvent('download');
  await button(page, 'Download').click();
  const stream = await (await downloading).createReadStream();
  let text = '';
  for await (const piece of stream) text += piece;
  for (const code of state.recovery) assert.ok(text.includes(code));
  await nothing_kept(page, ...state.recovery);
  await page.locator('#kept').check();
  await button(page, 'Continue').click();
  await at_path(page, '/members');
}, { as: 'enrolment' });

test('providers of an organisation are offered, and only addresses of ours', '/sign-in', async (page) => {
  await page.getByText('Sign in with your organisation’s account').click();
  await page.locator('#organisation').fill('Example Works');
  await page.locator('#organisation-form [type="submit"]').click();
  assert.equal(await page.getByRole('link', { name: 'Continue with Example Login' }).getAttribute('href'), '/sign-in/with/p');
  await page.locator('#organisation').fill('Other');
  await page.locator('#organisation-form [type="submit"]').click();
  await page.getByText('no other way to sign in').waitFor();
});

test('a passkey is added, renamed, signs in, and is removed', '/account', async (page) => {
  await give_authenticator(page);
  await button(page, 'Add a passkey').click();
  await dialog(page).locator('[name="name"]').fill('Drawer');
  await submit(page);
  await page.getByRole('heading', { name: 'Keep your recovery codes' }).waitFor();
  await button(page, 'I have kept them').click();
  await told(page, 'The passkey is added.');
  await button(page, 'Rename Drawer').click();
  await dialog(page).locator('[name="name"]').fill('Desk');
  await submit(page);
  await told(page, 'The passkey has its new name.');
  await button(page, 'Sign out').click();
  await page.waitForURL(`${origin}/sign-in`);
  await button(page, 'Sign in with a passkey').click();
  await at_path(page, '/account');
  await page.getByText('Desk').waitFor();
  await button(page, 'Remove Desk').click();
  await submit(page);
  await told(page, '“Desk” is removed.');
  assert.deepEqual(state.passkeys, []);
}, { as: 'nothing' });

test('a linked sign-in service is unlinked, and could be linked again', '/account', async (page) => {
  await page.locator('#elsewhere').getByText('linked', { exact: true }).waitFor();
  assert.deepEqual(await accessibility_problems(page), []);
  await button(page, 'Unlink Example Login').click();
  await submit(page);
  await told(page, 'Example Login is unlinked.');
  await button(page, 'Link Example Login').waitFor();
}, { as: 'nothing', arrange: (s) => { s.linked = [{ id: 'p', name: 'Example Login', created_at: new Date().toISOString(), last_used_at: new Date().toISOString() }]; } });

test('what became of signing in elsewhere is told in words of ours', '/sign-in?problem=not-let-in&error_description=hello', async (page) => {
  await page.getByText('You are not let in here.').waitFor();
  assert.equal(await page.getByText('hello').count(), 0);
  for (const word of ['constructor', '__proto__', 'x', '']) {
    await page.goto(`${origin}/sign-in?problem=${word}`);
    await page.locator('#email').waitFor();
    assert.ok(await page.locator('#problem').isHidden());
  }
});

test('a browser that gives no passkey is explained', '/sign-in', async (page) => {
  await page.evaluate(() => { navigator.credentials.get = () => Promise.reject(new DOMException('', 'NotAllowedError')); });
  await button(page, 'Sign in with a passkey').click();
  await page.getByText('It was put away, or took too long.').waitFor();
});

// Links

test('an invitation is accepted, and its secret is in no address', '/invitation#invited', async (page) => {
  assert.equal(page.url(), `${origin}/invitation`);
  await page.getByRole('heading', { name: 'Join Example Works' }).waitFor();
  await page.locator('#password').fill('aaaaaaaaaaaa');
  await button(page, 'Accept the invitation').click();
  await page.getByText('The password is too easy to guess.').waitFor();
  await page.locator('#password').fill('long enough and odd');
  await button(page, 'Accept the invitation').click();
  await at_path(page, '/account');
  assert.deepEqual(asked('POST', '/invitations/accept/')[1][2], { token: 'invited', password: 'long enough and odd' });
  await nothing_kept(page, 'invited', 'long enough');
});

test('an invitation that does not hold is explained', '/invitation#other', async (page) => {
  await page.getByRole('heading', { name: 'This invitation is not valid any more' }).waitFor();
});

test('whoever has an account accepts with it, signed in from another tab', '/invitation#has-account', async (page, context) => {
  await page.getByText('Sign in to it in another tab').waitFor();
  const opening = context.waitForEvent('page');
  await page.getByRole('link', { name: 'Sign in' }).click();
  const other = await opening;
  await other.locator('#email').fill(state.account.email);
  await other.locator('#password').fill(password);
  await button(other, 'Sign in').click();
  await at_path(other, '/account');
  await page.bringToFront();
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  await button(page, 'Accept the invitation').click();
  await page.waitForURL(`${origin}/account#organisation`);
  assert.deepEqual(asked('POST', '/invitations/accept/').at(-1)[2], { token: 'has-account' });
});

test('a password is asked for anew', '/reset-password', async (page) => {
  await page.locator('#email').fill(state.account.email);
  await button(page, 'Send the link').click();
  await page.getByRole('heading', { name: 'Look into your mail' }).waitFor();
});

test('a password is chosen anew by a link', '/reset-password#reset', async (page) => {
  assert.equal(page.url(), `${origin}/reset-password`);
  await page.locator('#password').fill('long enough and odd');
  await button(page, 'Save the password').click();
  await page.getByRole('heading', { name: 'Your password is changed' }).waitFor();
  assert.equal(await page.locator('#password').inputValue(), '');
});

test('an address is confirmed by a press, not by opening the link', '/confirm-email#confirm', async (page) => {
  assert.deepEqual(changes(), []);
  await button(page, 'Confirm').click();
  await page.getByRole('heading', { name: 'Your address is confirmed' }).waitFor();
  assert.equal(page.url(), `${origin}/confirm-email`);
});

// The account

test('who is not signed in comes back after it', '/keys', async (page) => {
  await page.waitForURL(`${origin}/sign-in?to=%2Fkeys`);
  await page.locator('#email').fill(state.account.email);
  await page.locator('#password').fill(password);
  await button(page, 'Sign in').click();
  await at_path(page, '/keys');
});

test('a session that ends meanwhile leads to signing in', '/account', async (page) => {
  state.sessions.clear();
  await button(page, 'Sign out everywhere else').click();
  await page.waitForURL(`${origin}/sign-in?to=%2Faccount`);
}, { as: 'nothing' });

test('a session that another tab has changed goes on', '/account', async (page) => {
  for (const session of state.sessions.values()) session.csrf = 'changed';
  await button(page, 'Sign out everywhere else').click();
  await told(page, 'You are signed out everywhere else.');
  assert.deepEqual(state.others, []);
}, { as: 'nothing' });

test('one other session is ended', '/account', async (page) => {
  await button(page, 'Sign out Safari on iPhone').click();
  await told(page, 'Safari on iPhone is signed out.');
  assert.deepEqual(state.others.map((each) => each.client), ['Firefox on Windows']);
}, { as: 'nothing' });

test('the password is changed, and a wrong one does not sign out', '/account', async (page) => {
  await button(page, 'Change the password').click();
  await dialog(page).locator('[name="old"]').fill('wrong');
  await dialog(page).locator('[name="new"]').fill('long enough and odd');
  await submit(page);
  await page.getByText('That is not your password.').waitFor();
  await dialog(page).locator('[name="old"]').fill(password);
  await dialog(page).locator('[name="new"]').fill('aaaaaaaaaaaa');
  await submit(page);
  await page.getByText('The password is too easy to guess.').waitFor();
  await dialog(page).locator('[name="new"]').fill('long enough and odd');
  await submit(page);
  await told(page, 'The password is changed');
}, { as: 'nothing' });

test('an app is set up, and removed after a fresh code', '/account', async (page) => {
  await button(page, 'Set up').click();
  await page.locator('[name="code"]').fill(good_code);
  await button(page, 'Confirm').click();
  await page.getByRole('heading', { name: 'Keep your recovery codes' }).waitFor();
  await button(page, 'I have kept them').click();
  await told(page, 'Your authenticator app is set up.');
  state.fresh = false;
  await button(page, 'Remove the authenticator app').click();
  await submit(page);
  await page.getByRole('heading', { name: 'Show that it is you' }).waitFor();
  await dialog(page).locator('[name="totp"]').fill(good_code);
  await button(page, 'Continue').click();
  await told(page, 'The authenticator app is removed.');
  assert.equal(state.totp, false);
}, { as: 'nothing' });

test('who puts the fresh code away has removed nothing', '/account', async (page) => {
  await button(page, 'Remove the authenticator app').click();
  await submit(page);
  await page.getByRole('heading', { name: 'Show that it is you' }).waitFor();
  await press(page, 'Escape');
  await page.getByRole('heading', { name: 'Remove the authenticator app?' }).waitFor();
  await press(page, 'Escape');
  assert.equal(await page.locator('dialog').count(), 0);
  assert.equal(state.totp, true);
}, { as: 'nothing', arrange: (s) => { s.totp = true; s.fresh = false; } });

test('another organisation is acted for', '/account', async (page) => {
  await page.getByRole('button', { name: /^Act for this/ }).click();
  await page.locator('.bar').getByText('Second House').waitFor();
}, { as: 'nothing' });

test('the head leaves out what the role does not include', '/account', async (page) => {
  assert.deepEqual(await page.locator('nav a').allTextContents(), ['Account']);
}, { as: 'nothing', arrange: (s) => { s.scopes = ['chat_create']; } });

test('the projects open by the keyboard, and close again', '/account', async (page) => {
  await tab_to(page, 'summary');
  await press(page, 'Enter');
  await page.getByRole('link', { name: 'Internal handbook' }).waitFor();
  await press(page, 'Tab', 'Escape');
  assert.ok(await page.evaluate(() => document.activeElement.matches('summary') && !document.activeElement.parentElement.open));
}, { as: 'nothing' });

// Members

test('a role is changed with grants, and what the page does not know is kept', '/members', async (page) => {
  const writer = state.members[1];
  await button(page, `Change role of ${writer.email}`).click();
  await dialog(page).getByLabel('In the organisation').selectOption('editor');
  await dialog(page).getByLabel('Internal handbook').selectOption('maintainer');
  await submit(page);
  await told(page, 'is changed.');
  assert.deepEqual(asked('PUT', `/members/${writer.id}/`)[0][2], { role: 'editor', grants: [{ project: 'docs', role: 'maintainer' }, { project: 'handbook', role: 'maintainer' }, { project: 'elsewhere', role: 'viewer' }] });
}, { as: 'nothing', arrange: (s) => { s.members[1].grants.push({ project: 'elsewhere', role: 'viewer' }); } });

test('groups are shown and changed, one a line or with commas', '/members', async (page) => {
  const [self, writer] = state.members;
  await page.getByText('Reads the documents of staff, board').waitFor();
  await button(page, `Change groups of ${writer.email}`).click();
  const groups = dialog(page).getByLabel('Groups');
  assert.equal(await groups.inputValue(), 'staff\nboard');
  await groups.fill(`${'x'.repeat(65)}\n`);
  await submit(page);
  await dialog(page).getByText('is too long for the name of a group').waitFor();
  assert.equal(await groups.getAttribute('aria-invalid'), 'true');
  await groups.fill(' board, Field  \n\nstaff\nboard ');
  await submit(page);
  await told(page, 'are changed.');
  assert.deepEqual(asked('PUT', `/members/${writer.id}/`)[0][2], { role: 'viewer', groups: ['board', 'Field', 'staff'] });
  await page.getByText('Reads the documents of board, Field, staff').waitFor();
  await button(page, `Change groups of ${self.email}`).click();
  assert.equal(await groups.inputValue(), '');
  await page.keyboard.press('Escape');
}, { as: 'nothing' });

test('whoever may not change groups is not offered it', '/members', async (page) => {
  await page.getByText('Reads the documents of staff, board').waitFor();
  assert.equal(await page.getByRole('button', { name: /Change groups/ }).count(), 0);
}, { as: 'nothing', arrange: (s) => { s.scopes = s.scopes.filter((scope) => scope !== 'organisation_manage'); } });

test('a refusal is said where it was asked for', '/members', async (page) => {
  await button(page, `Change role of ${state.account.email}`).click();
  await dialog(page).getByLabel('In the organisation').selectOption('viewer');
  await submit(page);
  await page.getByText('An organisation keeps at least one administrator.').waitFor();
}, { as: 'nothing' });

test('somebody is removed only after being asked about', '/members', async (page) => {
  await button(page, 'Remove support@example.com').click();
  await button(page, 'Cancel').click();
  assert.deepEqual(changes(), []);
  await button(page, 'Remove support@example.com').click();
  await submit(page);
  await told(page, 'support@example.com is removed.');
}, { as: 'nothing' });

test('an invitation gives a link where no mail is sent, and can be withdrawn', '/members', async (page) => {
  await button(page, 'Invite somebody').click();
  await dialog(page).locator('[name="email"]').fill(state.account.email);
  await submit(page);
  await page.getByText('The e-mail address belongs to a member already.').waitFor();
  await dialog(page).locator('[name="email"]').fill('next@example.com');
  await dialog(page).locator('[name="project"]').selectOption('docs');
  await submit(page);
  assert.match(await page.locator('.secret').textContent(), /^https:\/\/parley\.example\.com\/invitation#/);
  await button(page, 'I have copied it').click();
  await told(page, 'next@example.com is invited.');
  assert.deepEqual(asked('POST', '/invitations/')[1][2], { email: 'next@example.com', role: 'viewer', project: 'docs', project_role: 'editor' });
  await button(page, 'Withdraw the invitation of next@example.com').click();
  await submit(page);
  await told(page, 'is withdrawn.');
}, { as: 'nothing' });

test('a second factor is required of everybody', '/members', async (page) => {
  await button(page, 'Require it…').click();
  await submit(page);
  await told(page, 'A second factor is required now.');
  assert.equal(state.require_second_factor, true);
}, { as: 'nothing' });

test('a role that does not include members is told so', '/members', async (page) => {
  await page.getByText('This is not allowed for you.').waitFor();
  assert.equal(await page.locator('#invite').isVisible(), false);
}, { as: 'nothing', arrange: (s) => { s.scopes = []; } });

test('a second factor that is asked for later can be set up from there', '/members', async (page) => {
  await page.getByText('A second factor is needed for this.').waitFor();
  await page.getByRole('link', { name: 'Set up a second factor' }).click();
  await page.waitForURL(`${origin}/account#second-factor`);
}, { as: 'nothing', arrange: (s) => { s.fail = (line) => (line === 'GET /members/' ? [403, 'permission_denied', 'this organisation requires a second factor'] : null); } });

// Keys

test('a key for a chat widget needs its sites, and is shown once', '/keys', async (page, context) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin });
  await page.locator('#create').click();
  await dialog(page).locator('[name="name"]').fill('Widget');
  await dialog(page).getByLabel('Chat widget').check();
  assert.deepEqual(await dialog(page).locator('[name="scopes-choice"]:checked').evaluateAll((boxes) => boxes.map((box) => box.value)), ['project_read', 'project_search', 'chat_create']);
  assert.equal(await dialog(page).locator('[value="keys_manage"]').isDisabled(), true);
  await submit(page);
  await page.getByText('A key for web pages needs the sites').waitFor();
  await dialog(page).locator('[name="origins"]').fill('https://www.example.com/path');
  await submit(page);
  await page.getByText('The list of sites must be a scheme and a host.').waitFor();
  await dialog(page).locator('[name="origins"]').fill('https://www.example.com\nhttps://docs.example.com');
  await submit(page);
  const shown = await page.locator('.secret').textContent();
  assert.match(shown, /^pk_/);
  await button(page, 'Copy').click();
  await button(page, 'Copied').waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), shown);
  await nothing_kept(page, shown);
  await button(page, 'I have put it away').click();
  await told(page, '“Widget” is created.');
  assert.ok(!(await page.content()).includes(shown), 'gone from the page');
  assert.deepEqual(asked('POST', '/keys/').at(-1)[2], { name: 'Widget', kind: 'public', scopes: ['project_read', 'project_search', 'chat_create'], expires: '90d', all_projects: true, origins: ['https://www.example.com', 'https://docs.example.com'] });
}, { as: 'nothing' });

test('a long life needs a reason, and single scopes can be chosen', '/keys', async (page) => {
  await page.locator('#create').click();
  await dialog(page).locator('[name="name"]').fill('Long');
  await dialog(page).locator('[value="project_sync"]').check();
  assert.equal(await dialog(page).getByLabel('Something else').isChecked(), true);
  await dialog(page).locator('[name="expires"]').selectOption('365d');
  await submit(page);
  await page.getByText('Say why in a few words.').waitFor();
  await dialog(page).locator('[name="exception"]').fill('A machine without hands');
  await submit(page);
  await button(page, 'I have put it away').click();
  const made = asked('POST', '/keys/').at(-1)[2];
  assert.deepEqual([made.expires, made.exception, made.scopes.includes('project_sync')], ['365d', 'A machine without hands', true]);
}, { as: 'nothing' });

test('nobody is offered to give what they do not hold', '/keys', async (page) => {
  await page.locator('#create').click();
  await dialog(page).getByLabel('Everything').check();
  assert.deepEqual(await dialog(page).locator('[name="scopes-choice"]').evaluateAll((boxes) => boxes.map((box) => box.value)), ['project_read', 'keys_manage']);
}, { as: 'nothing', arrange: (s) => { s.scopes = ['project_read', 'keys_manage', 'members_read']; } });

test('keys say how they are, and are rotated, switched on and revoked', '/keys', async (page) => {
  assert.deepEqual(await page.locator('#keys > .rows .badge').allTextContents(), ['active', 'ends in 9 days', 'switched off']);
  assert.match(await page.locator('#keys .row').first().textContent(), /for web pages, Product documentation/);
  await button(page, 'Switch on Quarterly report').click();
  await told(page, '“Quarterly report” works again.');
  await button(page, 'Rotate Nightly import').click();
  await submit(page);
  assert.match(await page.locator('.secret').textContent(), /^sk_/);
  await button(page, 'I have put it away').click();
  await told(page, '“Nightly import” has been rotated.');
  await button(page, 'Revoke Website widget').click();
  await submit(page);
  await told(page, '“Website widget” is revoked.');
  assert.equal(await page.locator('.ended-keys > summary').textContent(), 'Ended keys (2)');
}, { as: 'nothing' });

test('a failure names its request, and trying again works', '/keys', async (page) => {
  await page.getByText('Request 00000000-0000-4000-8000-00000000abcd').waitFor();
  state.fail = null;
  await button(page, 'Try again').click();
  await page.locator('#keys .row').first().waitFor();
}, { as: 'nothing', arrange: (s) => { s.fail = (line) => (line === 'GET /keys/' ? [500, 'internal', 'a mistake of ours'] : null); } });

// Projects

test('somebody who is signed in asks a public project like anybody', '/demo/docs', async (page) => {
  await page.locator('#message').fill('A question?');
  await page.locator('#message').press('Enter');
  await page.getByText('An answer.').first().waitFor();
  assert.deepEqual(asked('GET', '/projects/docs/').map((call) => call[2]), [false]);
  assert.deepEqual(asked('POST', '/chats/')[0][2], { csrf: undefined, bearer: 'Bearer vt', signed_in: false });
  assert.equal(asked('GET', '/session/').length, 0);
}, { as: 'nothing' });

test('a private project is asked with the session', '/demo/handbook', async (page) => {
  await page.locator('#message').fill('A question?');
  await page.locator('#message').press('Enter');
  await page.getByText('An answer.').first().waitFor();
  const [{ csrf }] = state.sessions.values();
  assert.deepEqual(asked('POST', '/chats/')[0][2], { csrf, bearer: undefined, signed_in: true });
}, { as: 'nothing' });

test('a private project offers to sign in, and is come back to', '/demo/handbook', async (page) => {
  await page.getByRole('link', { name: 'Sign in' }).click();
  await page.locator('#email').fill(state.account.email);
  await page.locator('#password').fill(password);
  await button(page, 'Sign in').click();
  await at_path(page, '/demo/handbook');
  await page.locator('#message').waitFor();
});

// What holds for every page

const everything = [
  ['/', null], ['/setup', null], ['/demo/docs', null], ['/demo/handbook', null], ['/sign-in', null], ['/sign-in', 'factor'], ['/sign-in', 'enrolment'],
  ['/invitation#invited', null], ['/invitation#has-account', null], ['/invitation#other', null], ['/reset-password', null], ['/reset-password#reset', null], ['/confirm-email#confirm', null],
  ['/account', 'nothing'], ['/members', 'nothing'], ['/keys', 'nothing'],
];
const arrange = (s) => { s.totp = true; s.recovery = ['a', 'b']; s.passkeys = [{ id: 'p', name: 'Desk', created_at: new Date().toISOString(), last_used_at: null, credential: 'x' }]; };
for (const [path, as] of everything) {
  for (const colorScheme of ['light', 'dark']) {
    test(`${path}${as ? ` (${as})` : ''} is accessible, ${colorScheme}`, path, async (page) => {
      assert.deepEqual(await accessibility_problems(page), []);
      for (const opener of ['#create', '#invite', '#change-password']) {
        if (!(await page.locator(opener).isVisible().catch(() => false))) continue;
        await page.locator(opener).click();
        assert.deepEqual(await accessibility_problems(page), [], `after ${opener}`);
        await press(page, 'Escape');
      }
    }, { as, colorScheme, arrange: as === 'enrolment' ? undefined : arrange });
  }
  test(`${path}${as ? ` (${as})` : ''} is not wider than a phone`, path, async (page) => {
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0);
  }, { as, viewport: { width: 320, height: 640 }, arrange: as === 'enrolment' ? undefined : arrange });
}

const hostile = '<img src=x onerror="globalThis.ran=1"><script>globalThis.ran=1</script>';
for (const path of ['/account', '/members', '/keys', '/demo/docs', '/invitation#invited']) {
  test(`names of others are text on ${path}`, path, async (page) => {
    assert.equal(await page.evaluate(() => document.querySelectorAll('main img:not(.masthead img), main script').length), 0);
    assert.equal(await page.evaluate(() => globalThis.ran), undefined);
    if (path !== '/demo/docs' && !path.startsWith('/invitation')) assert.ok((await page.locator('body').textContent()).includes(hostile));
  }, { as: 'nothing', arrange: (s) => {
    s.organisation.name = hostile;
    for (const each of [...s.organisations, ...s.projects, ...s.keys]) each.name = hostile;
    for (const each of s.members) each.email = hostile;
    for (const each of s.others) each.client = hostile;
    s.passkeys = [{ id: 'p', name: hostile, created_at: hostile, last_used_at: null, credential: 'x' }];
  } });
}

const failed = await run_tests(browser, origin, tests, async (context, options) => {
  state = make_people();
  options.arrange?.(state);
  if (options.as) await context.addCookies([state.cookie(origin, options.as)]);
  state.calls.length = 0;
});
await browser.close();
close();
process.exit(failed === 0 ? 0 : 1);
