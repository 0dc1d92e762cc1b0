// Puts every hostile string of two public collections through the pages, in Chromium and under the policy that the server
// sends, and checks that none of it becomes anything but text: no script runs, no request leaves, and only the elements
// and attributes that demo.js makes are there.
//
//   node web/pages/render_test.mjs
//
// Needs playwright-core (found from here or by NODE_PATH), Chromium (CHROMIUM, default /usr/bin/chromium) and the
// collections in ../shared/data/text beside the repository. What is missing is said and skipped.

import fs from 'node:fs';
import path from 'node:path';
import { open_browser, pages, send_events, send_json, serve_pages } from './page_fixture.mjs';

const data = path.resolve(pages, '../../../shared/data/text');

// What an answer may be made of. Anything else in the page after rendering is a failure.
const allowed = {
  p: [], h3: [], h4: [], h5: [], ul: [], ol: ['start'], li: [], blockquote: [], hr: [], strong: [], em: [], code: [],
  pre: ['tabindex'], div: ['class', 'tabindex', 'role', 'aria-label'], span: [], button: ['type', 'class'],
  table: [], thead: [], tbody: [], tr: [], th: ['scope'], td: [], a: ['href', 'target', 'rel', 'class', 'aria-label'],
};

function hostile_strings() {
  const strings = [];
  const xss = path.join(data, 'xss_dompurify/expect.json');
  const naughty = path.join(data, 'naughty_strings/blns.json');
  if (fs.existsSync(xss)) strings.push(...JSON.parse(fs.readFileSync(xss, 'utf8')).map((entry) => entry.payload));
  else console.log(`SKIPPED: ${xss} is not there`);
  if (fs.existsSync(naughty)) strings.push(...JSON.parse(fs.readFileSync(naughty, 'utf8')));
  else console.log(`SKIPPED: ${naughty} is not there`);
  return strings.filter((text) => typeof text === 'string');
}

// Written for this renderer: what Markdown adds to the ways in.
const own_strings = [
  '[a](javascript:run_it())', '[a](JaVaScRiPt:run_it())', '[a](java\tscript:run_it())', '[a](<java\nscript:run_it()>)',
  '[a](\u0001javascript:run_it())', '[a](data:text/html,<script>run_it()</script>)', '[a](vbscript:x)', '[a](file:///etc/passwd)',
  '[a](//evil.invalid/x)', '[a](https://good.invalid@evil.invalid/)', '[a](blob:https://x/y)', '![x](https://evil.invalid/pixel.png)',
  '![x](x" onerror="run_it())', '[a](https://x.invalid/" onmouseover="run_it())', '[![x](javascript:run_it())](javascript:run_it())',
  '<javascript:run_it()>', '<https://x.invalid/"onclick=run_it()>', '```"><script>run_it()</script>\nx\n```', '~~~<img src=x onerror=run_it()>\nx',
  '`<img src=x onerror=run_it()>`', '# <script>run_it()</script>', '- <svg onload=run_it()>', '> <iframe srcdoc="<script>run_it()</script>">',
  '| <b> | <i> |\n|---|---|\n| <img src=x onerror=run_it()> | [a](javascript:run_it()) |', '&lt;script&gt;run_it()&lt;/script&gt;', '&#60;script&#62;run_it()',
  '[1] [2] [99] [a](#x) [javascript:run_it()]', '<base href=//evil.invalid><meta http-equiv=refresh content=0;url=//evil.invalid>',
  '[constructor](__proto__) [toString](https://x.invalid)',
];

// Each would take minutes in a renderer that goes back over what it has seen.
const slow_strings = ['*'.repeat(50000), '_a'.repeat(25000), '['.repeat(50000), '[](('.repeat(12000), '`'.repeat(50000), '> '.repeat(25000), '- '.repeat(25000),
  `#${' '.repeat(50000)}x`, `|${'-'.repeat(50000)}x`, `a|b\n${' -|'.repeat(16000)}x`, '** a '.repeat(10000), '*a _b '.repeat(8000), '  - a\n'.repeat(8000), '1. a\n\n'.repeat(8000),
  `\`\`\`${' '.repeat(50000)}\``, '![['.repeat(16000), '<https://'.repeat(5000), ' https://'.repeat(5000), '\\'.repeat(50000), '`a``b'.repeat(10000)];

const strings = [...hostile_strings(), ...own_strings];
let batch = [];   // what the next answer is made of
const problems = [];
const problem = (text) => { if (problems.length < 20) console.error(`FAILED: ${text}`); problems.push(text); };

const { origin, close } = await serve_pages(({ pathname }, response) => {
  if (pathname === '/api/v1/projects/test/') {
    send_json(response, 200, { name: batch[0] ?? '', whitelabel: false, suggested_questions: batch.slice(0, 6), initial_message: batch[0] ?? '', filters: batch.slice(0, 6).map((title) => ({ title })), think_mode: false, is_private: false, mcp_enabled: false });
  } else if (pathname === '/api/v1/projects/test/search/') {
    send_json(response, 200, { results: batch.map((text) => ({ title: text, fragment: text, url: text, score: 1, domain: text, is_title_match: false })) });
  } else if (pathname === '/api/v1/visitors/') {
    send_json(response, 201, { token: 'vt_test', expires_in: 600, visitor: 'v' });
  } else if (pathname === '/api/v1/chats/') {
    const sources = batch.map((text) => ({ title: text, url: text, quote: text }));
    const message = { from: 'ai', message: batch.join('\n\n'), messageId: 'm', isPartial: false, timestamp: '2000-01-01T00:00:00Z', sources };
    send_events(response, [...batch.map((text) => ['delta', { text }]),
                           ['done', { user_message_id: 'u', ai_message: message, chat_uuid: '00000000-0000-4000-8000-000000000000', answered: true }]]);
  } else {
    problem(`a request for ${pathname.slice(0, 200)}`);
    send_json(response, 404, {});
  }
});

const browser = await open_browser();
try {
  const page = await browser.newPage({ reducedMotion: 'reduce' });
  page.on('request', (request) => { if (!request.url().startsWith(`${origin}/`)) problem(`a request left: ${request.url().slice(0, 200)}`); });
  page.on('dialog', (dialog) => { problem(`a dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on('pageerror', (error) => problem(`the page threw: ${error.message}`));
  page.on('console', (message) => { if (/Content Security Policy/.test(message.text())) problem(`the policy had to step in: ${message.text().slice(0, 200)}`); });
  await page.addInitScript(() => {
    globalThis.ran = [];
    globalThis.run_it = () => globalThis.ran.push('run_it');
    for (const name of ['alert', 'confirm', 'prompt', 'print']) globalThis[name] = () => globalThis.ran.push(name);
  });
  await page.goto(`${origin}/demo/test`);

  // Each alone, with and without a page to take relative links from.
  const found = await page.evaluate(async ({ strings, allowed }) => {
    const { render_markdown } = await import('/assets/demo.js');
    const problems = [];
    const stage = document.createElement('div');
    document.body.append(stage);
    let rendered = 0;
    for (const text of strings) {
      for (const options of [{}, { base: 'https://docs.invalid/a/b', refs: 3 }]) {
        const before = document.querySelectorAll('script, iframe, object, embed, base, meta, link, style').length;
        stage.replaceChildren(render_markdown(text, options));
        rendered += 1;
        for (const node of stage.querySelectorAll('*')) {
          const name = node.tagName.toLowerCase();
          const attributes = allowed[name];
          if (node.namespaceURI !== 'http://www.w3.org/1999/xhtml' || attributes === undefined) { problems.push(`<${name}> from ${text}`); continue; }
          for (const { name: attribute, value } of node.attributes) {
            if (!attributes.includes(attribute)) problems.push(`${name}[${attribute}] from ${text}`);
            if (attribute === 'href' && !(/^https?:\/\//.test(value) || (node.className === 'ref' && /^#source-[123]$/.test(value)))) problems.push(`href ${value} from ${text}`);
            if (attribute === 'class' && !['block', 'block-head', 'copy', 'ref', 'scroll'].includes(value)) problems.push(`class ${value} from ${text}`);
          }
          for (const type of ['mouseover', 'focus', 'pointerdown', 'error', 'load']) node.dispatchEvent(new Event(type, { bubbles: type === 'mouseover' }));
        }
        if (document.querySelectorAll('script, iframe, object, embed, base, meta, link, style').length !== before) problems.push(`the page gained an element from ${text}`);
      }
    }
    stage.remove();
    return { problems, rendered };
  }, { strings, allowed });
  found.problems.forEach(problem);

  // No text takes long.
  const slowest = await page.evaluate(async (texts) => {
    const { render_markdown } = await import('/assets/demo.js');
    const times = texts.map((text) => { const from = performance.now(); render_markdown(text, { refs: 3 }); return [performance.now() - from, text.slice(0, 20)]; });
    return times.sort((a, b) => b[0] - a[0])[0];
  }, slow_strings);
  if (slowest[0] > 2000) problem(`${slowest[1]}… took ${Math.round(slowest[0])} ms`);

  // And what is meant to work does.
  const good = await page.evaluate(async () => {
    const { render_markdown } = await import('/assets/demo.js');
    const html = (text, options) => { const div = document.createElement('div'); div.append(render_markdown(text, options)); return div.innerHTML; };
    return [
      [html('a **b** `c` *d*'), '<p>a <strong>b</strong> <code>c</code> <em>d</em></p>'],
      [html('# h\n## i'), '<h3>h</h3><h4>i</h4>'],
      [html('- a\n- b\n  - c'), '<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>'],
      [html('3. a\n4. b'), '<ol start="3"><li>a</li><li>b</li></ol>'],
      [html('snake_case_name 2 * 3 * 4'), '<p>snake_case_name 2 * 3 * 4</p>'],
      [html('[x](https://a.invalid/b)'), '<p><a href="https://a.invalid/b" target="_blank" rel="noopener noreferrer">x</a></p>'],
      [html('[x](b.md)'), '<p>x</p>'],
      [html('[x](b.md)', { base: 'https://a.invalid/c/d' }), '<p><a href="https://a.invalid/c/b.md" target="_blank" rel="noopener noreferrer">x</a></p>'],
      [html('![diagram](d.png)'), '<p>diagram</p>'],
      [html('| a | b |\n|---|:-:|\n| 1 | `2\\|3` |').replace(/ (tabindex|role|aria-label|scope|class)="[^"]*"/g, ''), '<div><table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>1</td><td><code>2|3</code></td></tr></tbody></table></div>'],
      [html('<b>x</b> &lt;y&gt; \\*z\\*'), '<p>&lt;b&gt;x&lt;/b&gt; &lt;y&gt; *z*</p>'],
      [html('> a\n> b\n\nc'), '<blockquote><p>a\nb</p></blockquote><p>c</p>'],
      [html('1. a\n\n   ```sh\n   b\n   ```\n\n2. c').replace(/<div class="block-head">.*?<\/div>/g, '').replace(/ (tabindex|class)="[^"]*"/g, ''), '<ol><li>a<div><pre><code>b</code></pre></div></li><li>c</li></ol>'],
    ].filter(([is, wanted]) => is !== wanted).map(([is, wanted]) => `rendered ${is}\n  instead of ${wanted}`);
  });
  good.forEach(problem);

  // Through the whole page: greeting, suggestions, filters, answer, sources and search results.
  const batch_size = 20;
  let turns = 0;
  for (let at = 0; at < strings.length; at += batch_size) {
    batch = strings.slice(at, at + batch_size);
    await page.goto(`${origin}/demo/test`);
    await page.locator('#message').fill(batch[0].trim().slice(0, 500) || 'question');
    await page.locator('#send').click();
    await page.locator('.sources').waitFor();
    for (const more of await page.locator('.more').all()) await more.click();
    await page.locator('#tab-search').click();
    await page.locator('#search-box').fill(batch[0].trim().slice(0, 400).padEnd(2, 'x'));
    await page.locator('#search-form').evaluate((form) => form.requestSubmit());
    await page.locator('#search-results li').first().waitFor();
    const inside = await page.evaluate(() => [...document.querySelectorAll('#thread *, #search-results *, #welcome *, #search-filter *, #project *')]
      .filter((node) => /^(script|img|svg|iframe|object|embed|style|link|meta|base|form|input|math|video|audio|template)$/i.test(node.tagName) ||
                        [...node.attributes].some((a) => /^on|^style$|^src/.test(a.name)) ||
                        (node.hasAttribute('href') && !/^(https?:\/\/|#source-)/.test(node.getAttribute('href'))))
      .map((node) => node.outerHTML.slice(0, 200)));
    inside.forEach((text) => problem(`in the page: ${text}`));
    const ran = await page.evaluate(() => globalThis.ran);
    ran.forEach((name) => problem(`a script ran: ${name}`));
    turns += 1;
  }

  console.log(`${strings.length} strings, ${found.rendered} renderings, ${turns} whole pages, slowest text ${Math.round(slowest[0])} ms (${slowest[1].trim()}…), ${problems.length} problems`);
} finally {
  await browser.close();
  close();
}
process.exit(problems.length === 0 ? 0 : 1);
