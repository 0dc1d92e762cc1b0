// The pages against the program itself: set up, signing in with each kind of factor, members, keys, a private project.
// One long walk, since each step needs what the one before it made.
//
//   PARLEY_PROGRAM=build/dev/src/parley/parley node web/pages/server_test.mjs
//
// Needs playwright-core and Chromium, and the program; says so and is skipped otherwise.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { open_browser, skip } from './page_fixture.mjs';

const program = process.env.PARLEY_PROGRAM ?? '';
if (!fs.existsSync(program)) skip('PARLEY_PROGRAM names no program');

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-pages-'));
const parley = (...words) => execFileSync(program, ['--data', folder, ...words], { encoding: 'utf8' });

/// Starts the program; gives its origin and the token for setting it up.
async function start() {
  const child = spawn(program, ['--data', folder, 'serve', '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const [port, token] = await new Promise((resolve, reject) => {
    const read = (piece) => {
      output += piece;
      const found = /http:\/\/127\.0\.0\.1:(\d+)\/setup#(\S+)/.exec(output);
      // The link is printed before the first answer can be given.
      if (found && output.includes('"started"')) resolve([found[1], found[2]]);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.on('exit', (status) => reject(new Error(`the program ended with ${status}: ${output}`)));
  });
  return { child, origin: `http://localhost:${port}`, token };
}

/// The code that an authenticator app shows `steps` of 30 seconds from now (RFC 6238).
function totp(secret, steps) {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...secret.replaceAll(' ', '')].map((letter) => letters.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const mac = crypto.createHmac('sha1', key).update(counter).digest();
  return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

const password = () => `correct ${crypto.randomBytes(9).toString('base64url')} battery`;
const own = { email: 'owner@example.org', password: password() };
const other = { email: 'other@example.org', password: password() };

const { child, origin, token } = await start();
const browser = await open_browser();
const thrown = [];

async function new_person() {
  const context = await browser.newContext({ reducedMotion: 'reduce' });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.on('pageerror', (e) => thrown.push(e.message));
  page.on('console', (message) => { if (/Content Security Policy/.test(message.text())) thrown.push(message.text()); });
  const session = await context.newCDPSession(page);
  await session.send('WebAuthn.enable');
  await session.send('WebAuthn.addVirtualAuthenticator', { options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true } });
  return page;
}

const button = (page, name) => page.getByRole('button', { name, exact: true });
const submit = (page) => page.locator('dialog').last().locator('[type="submit"]').click();
const told = (page, text) => page.locator('.result').getByText(text).waitFor();
/// Submits the open dialog; where the program asks for patience, as it does of whoever proves who they are often, waits
/// for as long as it says and tries again.
async function submit_patiently(page) {
  const refusal = page.locator('dialog').last().getByText(/^Try again in \d+ seconds?\.$/);
  const sending = page.locator('dialog[open] [type="submit"][aria-disabled]');
  for (let tries = 0; tries < 3; tries += 1) {
    await submit(page);
    while (await sending.count() > 0) await page.waitForTimeout(100);
    if (await refusal.count() === 0 || !(await refusal.isVisible())) return;
    await page.waitForTimeout(1000 * (1 + Number(/\d+/.exec(await refusal.textContent())[0])));
  }
}
const at_path = (page, where) => page.waitForURL(`${origin}${where}`);
async function sign_in(page, who) {
  await page.locator('#email').fill(who.email);
  await page.locator('#password').fill(who.password);
  await button(page, 'Sign in').click();
}
async function sign_out(page) {
  await button(page, 'Sign out').first().click();
  await at_path(page, '/sign-in');
}

let steps = 0;
let page = await new_person();
let secret = '';
let codes = [];

const walk = [
  ['the first administrator is made, and signs in', async () => {
    await page.goto(`${origin}/setup#${token}`);
    await page.locator('#organisation').fill('Example Works');
    await page.locator('#email').fill(own.email);
    await page.locator('#password').fill(own.password);
    await button(page, 'Create administrator').click();
    await page.getByRole('heading', { name: 'Your organisation is ready' }).waitFor();
    await page.getByRole('link', { name: 'Sign in' }).click();
    await sign_in(page, { ...own, password: 'certainly not this one' });
    await page.getByText('do not belong together').waitFor();
    await sign_in(page, own);
    await at_path(page, '/account');
    await page.getByText(own.email).waitFor();
    await page.locator('#sessions').getByText('this one').waitFor();
  }],
  ['an authenticator app is set up', async () => {
    await button(page, 'Set up').click();
    secret = await page.locator('.secret').textContent();
    assert.ok(await page.locator('.qr').evaluate((image) => image.decode().then(() => image.naturalWidth > 0)));
    await page.locator('[name="code"]').fill('000000');
    await button(page, 'Confirm').click();
    await page.getByText('That did not match.').waitFor();
    await page.locator('[name="code"]').fill(totp(secret, 0));
    await button(page, 'Confirm').click();
    await page.getByRole('heading', { name: 'Keep your recovery codes' }).waitFor();
    codes = await page.locator('.codes code').allTextContents();
    assert.equal(codes.length, 10);
    await button(page, 'I have kept them').click();
    await told(page, 'Your authenticator app is set up.');
  }],
  ['signing in asks for its code, and a recovery code does as well', async () => {
    await sign_out(page);
    await sign_in(page, own);
    await page.getByRole('heading', { name: 'Second step' }).waitFor();
    // Another than the one that is used up; a clock may be a step off.
    await page.locator('[name="totp"]').fill(totp(secret, 1));
    await button(page, 'Continue').click();
    await at_path(page, '/account');
    await sign_out(page);
    await sign_in(page, own);
    await button(page, 'Use a recovery code instead').click();
    await page.locator('[name="recovery_code"]').fill(codes[0]);
    await page.locator('#factor-forms form:not([hidden]) [type="submit"]').last().click();
    await at_path(page, '/account');
    await page.getByText('9 left').waitFor();
  }],
  ['a passkey is added, and signs in by itself', async () => {
    await button(page, 'Add a passkey').click();
    await page.locator('dialog [name="name"]').fill('Desk');
    await submit(page);
    await told(page, 'The passkey is added.');
    await sign_out(page);
    await button(page, 'Sign in with a passkey').click();
    await at_path(page, '/account');
    await page.locator('#passkeys').getByText('Desk').waitFor();
    await button(page, 'Rename Desk').click();
    await page.locator('dialog [name="name"]').fill('Drawer');
    await submit(page);
    await told(page, 'The passkey has its new name.');
    await page.locator('#passkeys').getByText('Drawer').waitFor();
  }, '/api/v1/session/passkey/'],
  ['the password is changed', async () => {
    await button(page, 'Change the password').click();
    await page.locator('dialog [name="old"]').fill('not the old one');
    await page.locator('dialog [name="new"]').fill('aaaaaaaaaaaaaa');
    await submit_patiently(page);
    await page.locator('dialog .summary:not([hidden]), dialog .error:not(:empty)').first().waitFor();
    const next = password();
    await page.locator('dialog [name="old"]').fill(own.password);
    await page.locator('dialog [name="new"]').fill(next);
    await submit_patiently(page);
    await told(page, 'The password is changed');
    own.password = next;
  }],
  ['a key is created, listed with its project, rotated and revoked', async () => {
    parley('project', 'create', '--tenant', 'Example Works', '--name', 'Handbook', '--slug', 'handbook', '--private');
    await page.goto(`${origin}/keys`);
    await page.locator('#create').click();
    await page.locator('dialog [name="name"]').fill('Importer');
    await page.locator('dialog [name="project_slug"]').selectOption('handbook');
    await submit(page);
    const key = await page.locator('.secret').textContent();
    assert.match(key, /^sk_/);
    await button(page, 'I have put it away').click();
    await told(page, '“Importer” is created.');
    assert.match(await page.locator('#keys .row').first().textContent(), /active/);
    // It is what it says: the server takes it.
    const search = await fetch(`${origin}/api/v1/projects/handbook/search/?q=anything`, { headers: { Authorization: `Bearer ${key}` } });
    assert.equal(search.status, 200);
    await button(page, 'Rotate Importer').click();
    await submit(page);
    await button(page, 'I have put it away').click();
    await told(page, '“Importer” has been rotated.');
    await button(page, 'Revoke Importer').first().click();
    await submit(page);
    await told(page, '“Importer” is revoked.');
    await page.getByText('Ended keys (1)').waitFor();
  }],
  ['a private project is asked with the session', async () => {
    await page.goto(`${origin}/demo/handbook`);
    await page.locator('#message').fill('Is anything in here?');
    await page.locator('#message').press('Enter');
    await page.locator('.verdict, .sources').first().waitFor();
  }],
  ['somebody is invited, accepts, and sees what their role includes', async () => {
    await page.goto(`${origin}/members`);
    await button(page, 'Invite somebody').click();
    await page.locator('dialog [name="email"]').fill(other.email);
    await submit(page);
    const link = await page.locator('.secret').textContent();
    await button(page, 'I have copied it').click();
    await page.locator('#invitations').getByText(other.email).waitFor();
    const invited = await new_person();
    await invited.goto(`${origin}/invitation#${link.split('#')[1]}`);
    await invited.getByRole('heading', { name: 'Join Example Works' }).waitFor();
    await invited.locator('#password').fill('aaaaaaaaaaaaaa');
    await button(invited, 'Accept the invitation').click();
    await invited.getByText('too easy to guess').waitFor();
    await invited.locator('#password').fill(other.password);
    await button(invited, 'Accept the invitation').click();
    await at_path(invited, '/account');
    assert.ok(!(await invited.locator('nav a').allTextContents()).includes('Keys'));
    await invited.goto(`${origin}/keys`);
    await invited.getByText('This is not allowed for you.').waitFor();
    await invited.context().close();
  }],
  ['their role is changed, and a second factor required', async () => {
    await page.reload();
    await button(page, `Change role of ${other.email}`).click();
    await page.locator('dialog [name="role"]').selectOption('maintainer');
    await submit(page);
    await told(page, 'is changed.');
    await page.locator('#members').getByText('Maintainer').waitFor();
    await button(page, 'Require it…').click();
    await submit(page);
    await told(page, 'A second factor is required now.');
  }],
  ['who has none sets one up before anything else', async () => {
    const owing = await new_person();
    await owing.goto(`${origin}/keys`);
    await sign_in(owing, other);
    await owing.getByRole('heading', { name: 'Set up a second factor' }).waitFor();
    await owing.goto(`${origin}/keys`);
    await owing.getByRole('heading', { name: 'Set up a second factor' }).waitFor();
    const app = await owing.locator('.secret').textContent();
    await owing.locator('[name="code"]').fill(totp(app, 0));
    await button(owing, 'Confirm').click();
    await owing.locator('#kept').check();
    await button(owing, 'Continue').click();
    await at_path(owing, '/keys');
    await owing.getByText('Importer').first().waitFor();
    await owing.context().close();
  }],
  ['they are removed, and their session with them', async () => {
    await button(page, `Remove ${other.email}`).click();
    await submit(page);
    await told(page, `${other.email} is removed.`);
    await sign_out(page);
    await page.goto(`${origin}/members`);
    await page.waitForURL(`${origin}/sign-in?to=%2Fmembers`);
  }],
];

const { paths } = await (await fetch(`${origin}/openapi.json`)).json();
let failed = 0;
for (const [name, run, needed] of walk) {
  if (needed && !paths[needed]) {
    console.log(`SKIPPED ${name}: the program has no ${needed}`);
    continue;
  }
  try {
    await run();
    assert.deepEqual(thrown.splice(0), []);
    console.log(`ok      ${name}`);
    steps += 1;
  } catch (e) {
    failed = 1;
    const seen = await page.locator('main').innerText().catch(() => 'no page');
    const lines = [`at ${page.url().replace(/#.*/, '')}`, ...String(e.message).split('\n').slice(0, 12), 'The page says:', ...seen.split(/\n+/)];
    console.log(`FAILED  ${name}\n        ${lines.join('\n        ')}`);
    break;  // what comes next needs what this one makes
  }
}
await browser.close();
child.removeAllListeners('exit');
child.kill('SIGTERM');
await new Promise((resolve) => { child.on('exit', resolve); });
fs.rmSync(folder, { recursive: true });
console.log(`${steps} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
