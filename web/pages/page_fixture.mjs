// For tests of the pages: serves this folder as Parley does, with an interface of the test's own behind it, and opens
// Chromium on it. Exits with a printed reason when something that is needed is not installed.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

export const pages = path.dirname(fileURLToPath(import.meta.url));
const chromium_path = process.env.CHROMIUM ?? '/usr/bin/chromium';

export function skip(why) {
  console.log(`SKIPPED: ${why}`);
  process.exit(77);  // what CTest counts as skipped
}

let playwright;
const require = createRequire(import.meta.url);
try { playwright = require('playwright-core'); } catch { skip('playwright-core is not installed'); }
if (!fs.existsSync(chromium_path)) skip(`no Chromium at ${chromium_path}`);

// As src/parley/api/outlet.cc sends it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
               "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const content_types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml' };

const fixed_pages = {
  '/': 'home.html', '/setup': 'setup.html', '/sign-in': 'sign_in.html', '/invitation': 'invitation.html', '/reset-password': 'reset_password.html',
  '/confirm-email': 'confirm_email.html', '/account': 'account.html', '/members': 'members.html', '/keys': 'keys.html',
};

export function send_json(response, status, body, headers = {}) {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

export function send_events(response, events) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  for (const [name, data] of events) response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  response.end();
}

/// `answer({method, pathname, query, headers, body}, response)` answers what is no page and no asset.
export async function serve_pages(answer) {
  const server = http.createServer(async (request, response) => {
    const { pathname, searchParams: query } = new URL(request.url, 'http://x');
    response.setHeader('Content-Security-Policy', policy);
    response.setHeader('X-Content-Type-Options', 'nosniff');
    let body = '';
    for await (const piece of request) body += piece;
    const page = request.method !== 'GET' ? null : pathname.startsWith('/demo/') ? 'demo.html' : fixed_pages[pathname] ?? null;
    const file = page ?? (pathname.startsWith('/assets/') ? path.basename(pathname) : null);
    if (file !== null && fs.existsSync(path.join(pages, file))) {
      response.setHeader('Content-Type', content_types[path.extname(file)] ?? 'application/octet-stream');
      response.end(fs.readFileSync(path.join(pages, file)));
    } else {
      await answer({ method: request.method, pathname, query, headers: request.headers, body }, response);
    }
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  // By name: browsers bind passkeys to names alone.
  return { origin: `http://localhost:${server.address().port}`, close: () => { server.closeAllConnections(); server.close(); } };
}

export function open_browser() {
  return playwright.chromium.launch({
    executablePath: chromium_path,
    args: ['--no-sandbox', '--disable-gpu', '--host-resolver-rules=MAP localhost 127.0.0.1', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

/// Runs `tests`, each {name, path, run(page), options}, in a context of its own. `prepare(context)` comes before each.
/// Whatever a page throws, has refused by its policy, or asks of another place, fails the test.
export async function run_tests(browser, origin, tests, prepare = async () => {}) {
  let failed = 0;
  const wanted = new RegExp(process.argv[2] ?? '');
  const chosen = tests.filter((test) => wanted.test(test.name));
  for (const { name, path: address, run, options } of chosen) {
    const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
    await prepare(context, options ?? {});
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    const thrown = [];
    page.on('pageerror', (e) => thrown.push(e.message));
    page.on('console', (message) => { if (/Content Security Policy/.test(message.text())) thrown.push(message.text()); });
    page.on('request', (request) => { if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(`${origin}/`)) thrown.push(`a request left: ${request.url()}`); });
    try {
      await page.goto(origin + address);
      await page.waitForLoadState('networkidle');
      await run(page, context);
      assert.deepEqual(thrown, []);
      console.log(`ok      ${name}`);
    } catch (e) {
      failed += 1;
      console.log(`FAILED  ${name}\n        ${String(e.message).split('\n').slice(0, 12).join('\n        ')}${thrown.length > 0 ? `\n        ${thrown.join('\n        ')}` : ''}`);
    }
    await context.close();
  }
  console.log(`${chosen.length - failed} passed, ${failed} failed`);
  return failed;
}

/// What axe-core finds against WCAG 2.2 AA and good practice in the page as it is now, a line each.
export async function accessibility_problems(page) {
  await page.evaluate(fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8'));
  const { violations } = await page.evaluate(() => globalThis.axe.run({ resultTypes: ['violations'] }));
  return violations.map(({ id, help, nodes }) => `${id}: ${help} (${nodes.map((node) => node.target.join(' ')).slice(0, 4).join('; ')})`);
}
