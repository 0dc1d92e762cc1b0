// For tests of the pages: serves this folder as Parley does, with an interface of the test's own behind it, and opens
// Chromium on it. Exits with a printed reason when something that is needed is not installed.

import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

export const pages = path.dirname(fileURLToPath(import.meta.url));
const chromium_path = process.env.CHROMIUM ?? '/usr/bin/chromium';

function skip(why) {
  console.log(`SKIPPED: ${why}`);
  process.exit(0);
}

let playwright;
try { playwright = createRequire(import.meta.url)('playwright-core'); } catch { skip('playwright-core is not installed'); }
if (!fs.existsSync(chromium_path)) skip(`no Chromium at ${chromium_path}`);

// As src/parley/api/outlet.cc sends it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
               "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const content_types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml' };

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
    const page = request.method !== 'GET' ? null : pathname === '/' ? 'home.html' : pathname === '/setup' ? 'setup.html' : pathname.startsWith('/demo/') ? 'demo.html' : null;
    const file = page ?? (pathname.startsWith('/assets/') ? path.basename(pathname) : null);
    if (file !== null && fs.existsSync(path.join(pages, file))) {
      response.setHeader('Content-Type', content_types[path.extname(file)] ?? 'application/octet-stream');
      response.end(fs.readFileSync(path.join(pages, file)));
    } else {
      await answer({ method: request.method, pathname, query, headers: request.headers, body }, response);
    }
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return { origin: `http://127.0.0.1:${server.address().port}`, close: () => { server.closeAllConnections(); server.close(); } };
}

export function open_browser() {
  return playwright.chromium.launch({
    executablePath: chromium_path,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}
