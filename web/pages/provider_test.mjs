// Signing in by way of a provider, in a browser: the program itself, and oidc-provider from npm as somebody else's
// server. The two are different sites to a browser, which is what cookies have to get along with.
//
//   PARLEY_PROGRAM=build/dev/src/parley/parley node web/pages/provider_test.mjs
//
// Needs playwright-core and Chromium, the program and npm's packages; says so and is skipped otherwise.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

import { accessibility_problems, open_browser, pages, skip } from './page_fixture.mjs';

const program = process.env.PARLEY_PROGRAM ?? '';
if (!fs.existsSync(program)) skip('PARLEY_PROGRAM names no program');
const testing = path.join(pages, '../../testing/node');
try { execFileSync(path.join(testing, 'install'), { stdio: 'pipe' }); } catch { skip('npm’s packages cannot be had'); }

/// The providers send people back to an address that has to be known before anything starts.
async function free_port() {
  const server = net.createServer();
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address();
  await new Promise((resolve) => { server.close(resolve); });
  return port;
}

/// Starts a program and waits until its output holds `what`.
async function start(file, words, env, what) {
  const child = spawn(file, words, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let output = '';
  const found = await new Promise((resolve, reject) => {
    const read = (piece) => {
      output += piece;
      const match = what.exec(output);
      if (match) resolve(match);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.on('exit', (status) => reject(new Error(`${file} ended with ${status}: ${output}`)));
  });
  child.removeAllListeners('exit');
  return { child, found, log: () => output };
}

const [port, dead_port] = [await free_port(), await free_port()];
const origin = `http://localhost:${port}`;
const secret = crypto.randomBytes(24).toString('base64url');
const provider = await start('node', [path.join(testing, 'oidc_provider.mjs')], {
  PARLEY_TEST_CLIENT_SECRET: secret, PARLEY_TEST_REDIRECT: `${origin}/sign-in/callback`, PARLEY_TEST_AUTHENTICATION: 'client_secret_basic',
}, /"issuer":"([^"]+)"/);
const issuer = provider.found[1];

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-provider-'));
fs.writeFileSync(path.join(folder, 'parley.toml'),
                 `[server]\npublic_url = "${origin}"\n[egress.sign_in]\nallow = ["${new URL(issuer).host}", "127.0.0.1:${dead_port}"]\n`);
const parley = (...words) => JSON.parse(execFileSync(program, ['--data', folder, '--json', ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
const tenant = parley('tenant', 'create', 'Example Works');
const add = (name, at) => parley('provider', 'add', '--tenant', 'Example Works', '--name', name, '--issuer', at, '--client-id', 'parley', '--client-secret', 'env:CLIENT',
                                 '--scope', 'openid', '--scope', 'email', '--scope', 'groups', '--group', 'docs=editor', '--email-domain', 'example.org', '--create-accounts');
const made = add('Example Login', issuer);
assert.equal(made.redirect_uri, `${origin}/sign-in/callback`);
assert.equal(made.client_secret_found, false, 'the variable is the server’s, not this command’s');
add('Broken Login', `http://127.0.0.1:${dead_port}`);
const server = await start(program, ['--data', folder, 'serve', '--listen', `127.0.0.1:${port}`],
                           { [`PARLEY_OIDC_${tenant.id.replaceAll('-', '').toUpperCase()}_CLIENT`]: secret }, /"started"/);

const browser = await open_browser();
const thrown = [];
async function new_page() {
  const context = await browser.newContext({ reducedMotion: 'reduce' });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.on('pageerror', (e) => thrown.push(e.message));
  return page;
}
async function to_provider(page, name, query = '') {
  await page.goto(`${origin}/sign-in?organisation=Example%20Works${query}`);
  await page.getByRole('link', { name: `Continue with ${name}` }).click();
}
/// The provider's own two pages, as this person.
async function sign_in_there(page, person) {
  await page.waitForURL(`${issuer}/interaction/*`);
  await page.locator('[name="login"]').fill(person);
  await page.locator('[name="password"]').fill('any');
  await page.locator('button[type="submit"]').click();
  await page.locator('button[type="submit"]', { hasText: 'Continue' }).click();
}

const walk = [
  ['somebody new comes back signed in, with the role of their group', async () => {
    const page = await new_page();
    await to_provider(page, 'Example Login');
    await sign_in_there(page, 'ada');
    await page.waitForURL(`${origin}/account`);
    await page.getByText('ada@example.org').waitFor();
    await page.getByText('Your role: editor').waitFor();
    const cookies = await page.context().cookies(origin);
    assert.deepEqual(cookies.filter((each) => each.name.startsWith('__Host-parley')).map((each) => [each.name, each.sameSite, each.httpOnly, each.secure]),
                     [['__Host-parley_session', 'Strict', true, true]], 'the ticket is gone');
    await page.context().close();
  }],
  ['the page that was asked for is the one that is reached', async () => {
    const page = await new_page();
    await to_provider(page, 'Example Login', '&to=/members');
    await sign_in_there(page, 'ada');
    await page.waitForURL(`${origin}/members`);
    await page.context().close();
  }],
  ['who is not let in is told so, in words of ours', async () => {
    const page = await new_page();
    await to_provider(page, 'Example Login');
    await sign_in_there(page, 'grace');
    await page.getByText('You are not let in here.').waitFor();
    assert.deepEqual(await accessibility_problems(page), []);
    assert.equal((await page.context().cookies(origin)).length, 0);
    await page.context().close();
  }],
  ['who turns back at the provider can begin again', async () => {
    const page = await new_page();
    await to_provider(page, 'Example Login');
    await page.getByRole('link', { name: 'Cancel' }).click();
    await page.getByText('Signing in there did not work.').waitFor();
    await page.locator('#email').waitFor();
    await page.context().close();
  }],
  ['a provider that cannot be reached is said to be', async () => {
    const page = await new_page();
    await to_provider(page, 'Broken Login', '&to=/keys');
    await page.getByText('cannot be reached just now').waitFor();
    assert.equal(new URL(page.url()).searchParams.get('to'), '/keys');
    await page.context().close();
  }],
];

let failed = 0;
for (const [name, run] of walk) {
  try {
    await run();
    assert.deepEqual(thrown.splice(0), []);
    console.log(`ok      ${name}`);
  } catch (e) {
    failed += 1;
    console.log(`FAILED  ${name}\n        ${String(e.message).split('\n').slice(0, 12).join('\n        ')}`);
  }
}
await browser.close();
for (const { child } of [server, provider]) {
  child.kill('SIGTERM');
  await new Promise((resolve) => { child.on('exit', resolve); });
}
assert.ok(!server.log().includes(secret), 'no secret is in the log');
fs.rmSync(folder, { recursive: true });
console.log(`${walk.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
