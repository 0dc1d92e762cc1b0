// What a person does on the pages, in Chromium: asks, waits, is refused, goes on, sets the server up.
//
//   node web/pages/page_test.mjs
//
// Needs playwright-core (found from here or by NODE_PATH) and Chromium (CHROMIUM, default /usr/bin/chromium); says so and
// is skipped otherwise.

import assert from 'node:assert/strict';
import { open_browser, run_tests, send_events, send_json, serve_pages } from './page_fixture.mjs';

const request_id = '00000000-0000-4000-8000-00000000abcd';
const chat_uuid = '11111111-1111-4111-8111-111111111111';
const error = (response, status, code, text, headers) => send_json(response, status, { error: text, code, request_id }, headers);

let asked = [];         // every message that arrived: {body, bearer}
let minted = 0;
let set_up = [];
let respond = null;     // how the next messages are answered; an ordinary answer if null

const answer_events = (text, answered = true) => [
  ['delta', { text: text.slice(0, 5) }], ['delta', { text: text.slice(5) }],
  ['done', { user_message_id: 'u', ai_message: { from: 'ai', message: text, messageId: 'm', isPartial: false, timestamp: '2000-01-01T00:00:00Z',
    sources: [{ title: 'A page', url: 'https://docs.invalid/a#b', ...(answered ? { quote: 'Word for word.' } : {}) }, { title: 'No address', url: 'b.md#c' }] },
    chat_uuid, answered }],
];

const { origin, close } = await serve_pages(({ method, pathname, headers, body, query }, response) => {
  if (pathname === '/readyz') send_json(response, 200, { status: 'ready' });
  else if (pathname === '/api/v1/projects/private/') error(response, 401, 'unauthenticated', 'a credential is needed');
  else if (pathname === '/api/v1/projects/gone/') error(response, 404, 'not_found', 'no such project');
  else if (/^\/api\/v1\/projects\/[a-z]+\/$/.test(pathname)) send_json(response, 200, { name: 'Test docs', whitelabel: false, suggested_questions: ['Suggested?'], initial_message: '', filters: [], think_mode: false, is_private: false, mcp_enabled: false });
  else if (pathname.endsWith('/search/')) send_json(response, 200, { results: query.get('q') === 'nothing' ? [] : [{ title: 'Found', fragment: 'A found fragment', url: 'https://docs.invalid/f', score: 1, domain: 'docs.invalid', is_title_match: true }] });
  else if (pathname === '/api/v1/visitors/') send_json(response, 201, { token: `vt_${minted += 1}`, expires_in: 43200, visitor: 'v' });
  else if (pathname === '/api/v1/chats/') {
    asked.push({ body: JSON.parse(body), bearer: headers.authorization });
    if (respond) respond(response); else send_events(response, answer_events('Some **bold** words.'));
  } else if (pathname === '/setup' && method === 'POST') {
    set_up.push(JSON.parse(body));
    if (set_up.at(-1).token !== 'one-time') error(response, 401, 'unauthenticated', 'the set-up token does not hold');
    else if (set_up.at(-1).password === 'aaaaaaaaaaaa') error(response, 400, 'invalid_argument', 'password: is too easy to guess');
    else send_json(response, 201, { account: 'a', tenant: 't' });
  } else error(response, 404, 'not_found', 'no such address');
});

const browser = await open_browser();
const tests = [];
const test = (name, path, run, options = {}) => tests.push({ name, path, run, options });
const send = async (page, text) => { await page.locator('#message').fill(text); await page.locator('#message').press('Enter'); };

test('a question is sent with a visitor token, and answered with its sources', '/demo/test', async (page) => {
  await send(page, 'A question?');
  await page.locator('.sources').waitFor();
  assert.deepEqual(asked, [{ body: { message: 'A question?', project_slug: 'test', metadata: 'demo' }, bearer: `Bearer vt_${minted}` }]);
  assert.equal(await page.locator('.prose strong').textContent(), 'bold');
  assert.equal(await page.locator('.source').count(), 2);
  assert.equal(await page.locator('.source a').count(), 1, 'a path without an address is no link');
  assert.equal(await page.locator('.source-quote').textContent(), 'Word for word.');
  await page.waitForFunction(() => document.getElementById('live').textContent.startsWith('Answer: Some bold words.'));
});

test('the next question goes on with the chat, and a new chat does not', '/demo/test', async (page) => {
  await send(page, 'One');
  await page.locator('.sources').waitFor();
  await send(page, 'Two');
  await page.locator('.turn:nth-child(2) .sources').waitFor();
  await page.locator('#new-chat').click();
  assert.equal(await page.locator('.turn').count(), 0);
  await send(page, 'Three');
  await page.locator('.sources').waitFor();
  assert.deepEqual(asked.map(({ body }) => body.chat_uuid), [undefined, chat_uuid, undefined]);
});

test('Shift and Enter start a new line, Enter sends', '/demo/test', async (page) => {
  await page.locator('#message').fill('One');
  await page.locator('#message').press('Shift+Enter');
  await page.keyboard.type('Two');
  assert.equal(asked.length, 0);
  await page.keyboard.press('Enter');
  await page.locator('.sources').waitFor();
  assert.equal(asked[0].body.message, 'One\nTwo');
});

test('a token is kept over a reload, in this tab alone', '/demo/test', async (page) => {
  await send(page, 'One');
  await page.locator('.sources').waitFor();
  await page.reload();
  await send(page, 'Two');
  await page.locator('.sources').waitFor();
  assert.equal(asked[0].bearer, asked[1].bearer);
  assert.deepEqual(await page.evaluate(() => [localStorage.length, document.cookie]), [0, '']);
});

test('an expired token is replaced, and the chat of the former one is left', '/demo/test', async (page) => {
  await send(page, 'One');
  await page.locator('.sources').waitFor();
  respond = (response) => { respond = null; error(response, 401, 'unauthenticated', 'the credential does not hold'); };
  await send(page, 'Two');
  await page.locator('.turn:nth-child(2) .sources').waitFor();
  assert.equal(asked.length, 3);
  assert.notEqual(asked[2].bearer, asked[1].bearer);
  assert.equal(asked[2].body.chat_uuid, undefined);
});

test('a used up limit keeps the text, counts down, and then lets one ask', '/demo/test', async (page) => {
  respond = (response) => { respond = null; error(response, 429, 'rate_limited', 'chat_per_visitor: this limit is used up for now', { 'Retry-After': '2' }); };
  await send(page, 'Keep me');
  await page.locator('#notice').waitFor();
  assert.equal(await page.locator('#message').inputValue(), 'Keep me');
  assert.equal(await page.locator('#send').getAttribute('aria-disabled'), 'true');
  assert.equal(await page.locator('.turn').count(), 0);
  await page.locator('#message').press('Enter');
  assert.equal(asked.length, 1, 'nothing is sent before the time');
  await page.locator('#notice').waitFor({ state: 'hidden' });
  await page.locator('#message').press('Enter');
  await page.locator('.sources').waitFor();
  assert.equal(asked[1].body.message, 'Keep me');
});

test('an error names its request, and asking again works', '/demo/test', async (page) => {
  respond = (response) => { respond = null; error(response, 500, 'internal', 'a mistake of ours'); };
  await send(page, 'Break');
  await page.locator('.failed').waitFor();
  assert.match(await page.locator('.failed').textContent(), new RegExp(request_id));
  await page.locator('.again').click();
  await page.locator('.sources').waitFor();
});

test('an error in the middle of a stream is shown as one', '/demo/test', async (page) => {
  respond = (response) => { respond = null; send_events(response, [['delta', { text: 'Half' }], ['error', { error: 'the store does not answer', code: 'unavailable', request_id }]]); };
  await send(page, 'Break');
  await page.locator('.failed').waitFor();
  assert.match(await page.locator('.failed').textContent(), /The store does not answer/);
});

test('a stream that is cut is not taken for an answer', '/demo/test', async (page) => {
  respond = (response) => { respond = null; send_events(response, [['delta', { text: 'Half' }]]); };
  await send(page, 'Cut');
  await page.locator('.failed').waitFor();
  assert.match(await page.locator('.failed').textContent(), /cut off/);
});

test('events are read however they are cut and whatever ends their lines', '/demo/test', async (page) => {
  respond = (response) => {
    respond = null;
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    const bytes = Buffer.from(`: a comment\r\n\r\nevent: delta\r\ndata: {"text":\r\ndata: "Zwölf €"}\r\n\r\nevent:done\rdata:${JSON.stringify(answer_events('Zwölf €')[2][1])}\r\r`);
    let at = 0;
    const next = () => { if (at === bytes.length) response.end(); else { response.write(bytes.subarray(at, at += 1)); setImmediate(next); } };
    next();
  };
  await send(page, 'Cut');
  await page.locator('.sources').waitFor();
  assert.equal(await page.locator('.prose').textContent(), 'Zwölf €');
});

test('an answer without a stream is shown too', '/demo/test', async (page) => {
  respond = (response) => { respond = null; send_json(response, 201, answer_events('Plain.')[2][1]); };
  await send(page, 'Plain?');
  await page.locator('.sources').waitFor();
});

test('what is not in the documentation is said, with the nearest pages once', '/demo/test', async (page) => {
  respond = (response) => { respond = null; send_events(response, answer_events('Nothing found. The nearest pages are:\n\n- [A page](a.md)', false)); };
  await send(page, 'Moon?');
  await page.locator('.verdict').waitFor();
  assert.equal(await page.locator('.prose').textContent(), 'Nothing found.');
  assert.equal(await page.locator('.sources h3').textContent(), 'Nearest pages');
});

test('a running answer can be stopped', '/demo/test', async (page) => {
  respond = (response) => { respond = null; response.writeHead(200, { 'Content-Type': 'text/event-stream' }); response.write('event: delta\ndata: {"text":"Begun"}\n\n'); };
  await send(page, 'Slow');
  await page.locator('.prose').getByText('Begun').waitFor();
  await page.locator('#send').click();
  await page.getByText('Stopped.').first().waitFor();
  assert.equal(await page.locator('#send').textContent(), 'Ask');
});

test('a message is counted in characters, and not sent when too long', '/demo/test', async (page) => {
  await page.locator('#message').fill('😀'.repeat(1000));
  assert.equal(await page.locator('#counter').textContent(), '0 characters left');
  await page.locator('#message').fill('😀'.repeat(1001));
  assert.equal(await page.locator('#counter').textContent(), '1 character too long');
  await page.locator('#message').press('Enter');
  assert.equal(asked.length, 0);
  await page.locator('#message').fill('short');
  assert.equal(await page.locator('#counter').isVisible(), false);
});

test('suggested questions are asked by a click', '/demo/test', async (page) => {
  await page.getByRole('button', { name: 'Suggested?' }).click();
  await page.locator('.sources').waitFor();
  assert.equal(asked[0].body.message, 'Suggested?');
});

test('searching finds, marks, and hands over to asking', '/demo/test', async (page) => {
  await page.locator('#tab-ask').focus();
  await page.keyboard.press('ArrowRight');
  assert.equal(await page.locator('#tab-search').getAttribute('aria-selected'), 'true');
  await page.locator('#search-box').fill('found');
  await page.locator('.results li').waitFor();
  assert.equal(await page.locator('mark').count(), 2);
  await page.locator('#search-box').fill('nothing');
  await page.getByText('No page has these words.').waitFor();
  await page.locator('#hand-over').click();
  await page.locator('.sources').waitFor();
  assert.equal(asked[0].body.message, 'nothing');
});

for (const [slug, title] of [['private', 'Nothing to ask here without signing in'], ['gone', 'There is no such project']]) {
  test(`a project that is ${slug} is explained`, `/demo/${slug}`, async (page) => {
    await page.getByRole('heading', { name: title }).waitFor();
    assert.equal(await page.locator('#message').isVisible(), false);
  });
}

test('nothing is wider than a phone', '/demo/test', async (page) => {
  await send(page, 'x'.repeat(400));
  await page.locator('.sources').waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0);
}, { viewport: { width: 320, height: 640 } });

test('the start page shows the demo when there is one', '/', async (page) => {
  await page.getByText('Ready to answer.').waitFor();
  await page.getByRole('link', { name: 'Ask Parley’s own documentation' }).waitFor();
});

const fill_set_up = async (page, password) => {
  await page.locator('#organisation').fill("Somebody's");
  await page.locator('#email').fill('name@example.com');
  await page.locator('#password').fill(password);
  await page.locator('#submit').click();
};

test('the set-up token leaves the address and goes into the body', '/setup#one-time', async (page) => {
  assert.equal(page.url(), `${origin}/setup`);
  await fill_set_up(page, 'aaaaaaaaaaaa');
  await page.getByText('The password is too easy to guess.').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), 'password');
  await fill_set_up(page, 'long enough and odd');
  await page.getByRole('heading', { name: 'Your organisation is ready' }).waitFor();
  assert.deepEqual(set_up.at(-1), { token: 'one-time', organisation: "Somebody's", email: 'name@example.com', password: 'long enough and odd' });
  assert.match(await page.locator('#next-project').textContent(), /--tenant 'Somebody'\\''s' /);
  assert.equal(await page.locator('#password').inputValue(), '');
});

test('a set-up token that does not hold can be typed again', '/setup#wrong', async (page) => {
  await fill_set_up(page, 'long enough and odd');
  await page.getByText('The one-time token is not valid.').waitFor();
  await page.locator('#token').fill('http://127.0.0.1:8080/setup#one-time');
  await page.locator('#submit').click();
  await page.getByRole('heading', { name: 'Your organisation is ready' }).waitFor();
});

test('an incomplete set-up is refused here, field by field', '/setup', async (page) => {
  await page.locator('#password').fill('short');
  await page.locator('#submit').click();
  assert.equal(set_up.length, 0);
  assert.equal(await page.locator('[aria-invalid="true"]').count(), 4);
  assert.equal(await page.evaluate(() => document.activeElement.id), 'token');
});

const failed = await run_tests(browser, origin, tests, async () => { [asked, set_up, respond] = [[], [], null]; });
await browser.close();
close();
process.exit(failed === 0 ? 0 : 1);
