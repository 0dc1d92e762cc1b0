// A page to ask a project's documentation on. Everything that comes from the server or from a person reaches the page as
// text or as one of the few elements made below: nothing here parses HTML, so nothing in an answer can become any.

import { ApiError, by_id, code, csrf_header, element, error_of, find_session, length_of, paragraph, seconds_text, sentence } from '/assets/page.js';

const message_length_max = 1000;   // the server's limit, in code points
const counter_shown_from = 850;    // a counter that is always there is noise
const quote_length_shown = 200;    // a longer quote opens on request, so that five sources still fit beside an answer
const nesting_max = 8;             // of lists and quotations; deeper ones are shown as text
const markdown_length_max = 60000; // no answer of ours is near this; a larger one would only freeze the page

/// An address that may be a link: http or https. A relative one needs `base`, the page it was written on, because this
/// page is not where the documentation lives. Null when it is anything else.
export function safe_address(text, base = null) {
  // Browsers drop tabs and newlines inside a scheme, so what still holds control characters is not what it looks like.
  // eslint-disable-next-line no-control-regex
  if (typeof text !== 'string' || text === '' || /[\u0000-\u001f\u007f]/.test(text)) return null;
  try {
    const url = base === null ? new URL(text) : new URL(text, base);
    if (url.protocol !== 'https:' && url.protocol !== 'http:') return null;
    // A name before the host makes one site look like another.
    if (url.username !== '' || url.password !== '') return null;
    return url.href;
  } catch {
    return null;
  }
}

function link(address, ...children) {
  // A new tab keeps the conversation; noreferrer keeps the project's name from other sites.
  return element('a', { href: address, target: '_blank', rel: 'noopener noreferrer' }, ...children);
}

// ------------------------------------------------------------------------------------------------------------ Markdown

/// Turns Markdown into nodes: paragraphs, headings, lists, quotations, tables, rules, code, strong, emphasis, links.
/// HTML stays text and an image becomes its description. `base` makes relative links absolute; without it they are text.
/// `refs` is how many sources there are: `[2]` then points at the second.
export function render_markdown(text, { base = null, refs = 0, prefix = 'source' } = {}) {
  const lines = String(text).slice(0, markdown_length_max).replace(/\r\n?/g, '\n').split('\n');
  const fragment = document.createDocumentFragment();
  append_blocks(fragment, lines, { base, refs, prefix }, 0);
  return fragment;
}

// None of these can match a stretch of text in two ways, so none can be made slow by what it is given.
const fence_pattern = /^ {0,3}(`{3,}|~{3,})([^`]*)$/;
const heading_pattern = /^ {0,3}(#{1,6})(?:[ \t](.*))?$/;
const item_pattern = /^( {0,3})([-*+]|\d{1,9}[.)])(?: +(.*)|\s*)$/;
const rule_pattern = /^ {0,3}(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})$/;
const table_rule_pattern = /^\|?(?:[ \t]*:?-+:?[ \t]*\|)*(?:[ \t]*:?-+:?)?$/;

const is_blank = (line) => line.trim() === '';

function starts_block(line) {
  return fence_pattern.test(line) || heading_pattern.test(line) || rule_pattern.test(line) || /^ {0,3}>/.test(line) ||
         /^ {0,3}[-*+] +\S/.test(line) || /^ {0,3}1[.)] +\S/.test(line);
}

function append_blocks(into, lines, options, depth) {
  let at = 0;
  while (at < lines.length) {
    const line = lines[at];
    if (is_blank(line)) { at += 1; continue; }

    const fence = fence_pattern.exec(line);
    if (fence) {
      const close = new RegExp(`^ {0,3}${fence[1][0] === '`' ? '`' : '~'}{${fence[1].length},}\\s*$`);
      let end = at + 1;
      while (end < lines.length && !close.test(lines[end])) end += 1;
      into.append(code_block(lines.slice(at + 1, end).join('\n'), fence[2].trim().split(/\s/)[0] || ''));
      at = end + 1;
      continue;
    }

    if (/^(?: {4}|\t)/.test(line)) {
      let end = at;
      while (end < lines.length && (/^(?: {4}|\t)/.test(lines[end]) || is_blank(lines[end]))) end += 1;
      const body = lines.slice(at, end).map((each) => each.replace(/^(?: {4}|\t)/, '')).join('\n').trimEnd();
      into.append(code_block(body, ''));
      at = end;
      continue;
    }

    const heading = heading_pattern.exec(line);
    if (heading) {
      // The page's own headings are h1 and h2; an answer's stand below them.
      const made = element(heading[1].length === 1 ? 'h3' : heading[1].length === 2 ? 'h4' : 'h5');
      append_inline(made, (heading[2] ?? '').trim().replace(/(?:^| )#{1,40}$/, ''), options, 0);
      into.append(made);
      at += 1;
      continue;
    }

    if (rule_pattern.test(line)) { into.append(element('hr')); at += 1; continue; }

    if (/^ {0,3}>/.test(line) && depth < nesting_max) {
      let end = at;
      while (end < lines.length && !is_blank(lines[end]) && (/^ {0,3}>/.test(lines[end]) || !starts_block(lines[end]))) end += 1;
      const made = element('blockquote');
      append_blocks(made, lines.slice(at, end).map((each) => each.replace(/^ {0,3}> ?/, '')), options, depth + 1);
      into.append(made);
      at = end;
      continue;
    }

    if (item_pattern.test(line) && depth < nesting_max) { at = append_list(into, lines, at, options, depth); continue; }

    if (line.includes('|') && at + 1 < lines.length && table_rule_pattern.test(lines[at + 1].trim()) && lines[at + 1].includes('-')) {
      const end = append_table(into, lines, at, options);
      if (end > at) { at = end; continue; }
    }

    let end = at + 1;
    while (end < lines.length && !is_blank(lines[end]) && !starts_block(lines[end])) end += 1;
    const made = element('p');
    append_inline(made, lines.slice(at, end).map((each) => each.trimStart()).join('\n'), options, 0);
    into.append(made);
    at = end;
  }
}

function append_list(into, lines, start, options, depth) {
  const first = item_pattern.exec(lines[start]);
  const ordered = /\d/.test(first[2]);
  const list = element(ordered ? 'ol' : 'ul', ordered && Number.parseInt(first[2], 10) !== 1 ? { start: Number.parseInt(first[2], 10) } : {});
  const same_kind = (found) => found && /\d/.test(found[2]) === ordered;
  let at = start;
  while (at < lines.length) {
    const found = item_pattern.exec(lines[at]);
    if (!same_kind(found) || rule_pattern.test(lines[at])) break;
    const indent = found[1].length + found[2].length + 1;
    const body = [found[3] ?? ''];
    at += 1;
    while (at < lines.length) {
      if (is_blank(lines[at])) {
        // A blank line belongs to the item only if what follows is still indented under it.
        let next = at;
        while (next < lines.length && is_blank(lines[next])) next += 1;
        if (next >= lines.length || leading_spaces(lines[next]) < Math.min(indent, 2)) break;
        if (leading_spaces(lines[next]) < indent && item_pattern.test(lines[next])) break;
        body.push('');
        at += 1;
        continue;
      }
      const spaces = leading_spaces(lines[at]);
      if (spaces >= Math.min(indent, 2) && !(spaces < indent && item_pattern.test(lines[at]) && spaces <= found[1].length)) {
        body.push(lines[at].slice(Math.min(indent, spaces)));
      } else if (starts_block(lines[at]) || item_pattern.test(lines[at])) {
        break;
      } else {
        body.push(lines[at].trimStart());
      }
      at += 1;
    }
    const item = element('li');
    append_blocks(item, body, options, depth + 1);
    // A one-paragraph item reads as a line, not as a paragraph.
    const lead = item.firstElementChild;
    if (lead && lead.tagName === 'P') lead.replaceWith(...lead.childNodes);
    list.append(item);
    let next = at;
    while (next < lines.length && is_blank(lines[next])) next += 1;
    if (next < lines.length && same_kind(item_pattern.exec(lines[next])) && !rule_pattern.test(lines[next])) at = next;
  }
  into.append(list);
  return at;
}

const leading_spaces = (line) => line.replace(/\t/g, '    ').search(/\S|$/);

function split_row(line) {
  const cells = [''];
  const text = line.trim().replace(/^\|/, '').replace(/\|$/, '');
  for (let i = 0; i < text.length; i += 1) {
    if (text[i] === '\\' && text[i + 1] === '|') { cells[cells.length - 1] += '|'; i += 1; }
    else if (text[i] === '|') cells.push('');
    else cells[cells.length - 1] += text[i];
  }
  return cells.map((cell) => cell.trim());
}

function append_table(into, lines, start, options) {
  const heads = split_row(lines[start]);
  if (split_row(lines[start + 1]).length !== heads.length) return start;
  const row_of = (name, cells) => {
    const row = element('tr');
    heads.forEach((_, i) => {
      const cell = element(name, name === 'th' ? { scope: 'col' } : {});
      append_inline(cell, cells[i] ?? '', options, 0);
      row.append(cell);
    });
    return row;
  };
  const body = element('tbody');
  let at = start + 2;
  while (at < lines.length && !is_blank(lines[at]) && lines[at].includes('|')) { body.append(row_of('td', split_row(lines[at]))); at += 1; }
  const table = element('table', {}, element('thead', {}, row_of('th', heads)), body);
  // A wide table scrolls by itself; tabindex lets the keyboard do it.
  into.append(element('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Table' }, table));
  return at;
}

function code_block(text, language) {
  const copy = element('button', { type: 'button', class: 'copy' }, 'Copy');
  copy.addEventListener('click', async () => {
    let said = 'Copied';
    try { await navigator.clipboard.writeText(text); } catch { said = select_text(code) ? 'Selected' : 'Not copied'; }
    copy.textContent = said;
    say(said === 'Selected' ? 'The code is selected. Copy it with the keyboard.' : `${said}.`);
    setTimeout(() => { copy.textContent = 'Copy'; }, 2000);
  });
  const code = element('code', {}, text);
  const label = /^[A-Za-z0-9+#._-]{1,20}$/.test(language) ? language : '';
  return element('div', { class: 'block' }, element('div', { class: 'block-head' }, element('span', {}, label), copy),
                 element('pre', { tabindex: '0' }, code));
}

// Without HTTPS browsers keep the clipboard from pages, so the text is at least selected.
function select_text(node) {
  const selection = window.getSelection();
  if (!selection) return false;
  const range = document.createRange();
  range.selectNodeContents(node);
  selection.removeAllRanges();
  selection.addRange(range);
  return true;
}

const entities = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", '#39': "'", nbsp: '\u00a0' };

// One pass from left to right; each alternative is anchored at the place looked at, so time grows with the length.
function append_inline(into, text, options, depth) {
  let plain = '';
  const flush = () => { if (plain !== '') { into.append(plain); plain = ''; } };
  let at = 0;
  while (at < text.length) {
    const c = text[at];

    if (c === '\\' && at + 1 < text.length && /[!-/:-@[-`{-~]/.test(text[at + 1])) { plain += text[at + 1]; at += 2; continue; }

    if (c === '`') {
      const ticks = /^`+/.exec(text.slice(at, at + 20))[0];
      const end = find_ticks(text, at + ticks.length, ticks.length);
      if (end !== -1) {
        flush();
        const inside = text.slice(at + ticks.length, end).replace(/\n/g, ' ');
        into.append(element('code', {}, inside.trim() !== '' && inside.startsWith(' ') && inside.endsWith(' ') ? inside.slice(1, -1) : inside));
        at = end + ticks.length;
      } else { plain += ticks; at += ticks.length; }
      continue;
    }

    if (c === '&') {
      const found = /^&(#39|[a-z]{2,4});/.exec(text.slice(at, at + 7));
      if (found && entities[found[1]]) { plain += entities[found[1]]; at += found[0].length; continue; }
    }

    if (c === '!' && text[at + 1] === '[') {
      const found = read_link(text, at + 1);
      if (found) { plain += found.label; at = found.end; continue; }
    }

    if (c === '[') {
      const found = read_link(text, at);
      if (found) {
        flush();
        const address = options.linked ? null : safe_address(found.target, options.base);
        const to = address ? link(address) : into;
        // No link inside a link, and none made of the label of one that was refused.
        append_inline(to, found.label, { ...options, refs: 0, linked: true }, depth + 1);
        if (address) into.append(to);
        at = found.end;
        continue;
      }
      const ref = /^\[(\d{1,2})\]/.exec(text.slice(at, at + 4));
      if (ref && Number(ref[1]) >= 1 && Number(ref[1]) <= options.refs) {
        flush();
        into.append(element('a', { class: 'ref', href: `#${options.prefix}-${Number(ref[1])}`, 'aria-label': `Source ${Number(ref[1])}` }, ref[1]));
        at += ref[0].length;
        continue;
      }
    }

    if (c === '<') {
      const found = /^<(https?:\/\/[^\s<>]{1,2000})>/.exec(text.slice(at, at + 2010));
      const address = found && !options.linked ? safe_address(found[1]) : null;
      if (address) { flush(); into.append(link(address, found[1])); at += found[0].length; continue; }
    }

    if (c === 'h' && !options.linked && (at === 0 || /[\s(]/.test(text[at - 1])) && text.startsWith('http', at)) {
      const found = /^https?:\/\/[^\s<>"'`]{1,2000}/.exec(text.slice(at, at + 2010));
      const shown = found && found[0].replace(/[.,;:!?)\]*_]+$/, '');
      const address = shown ? safe_address(shown) : null;
      if (address) { flush(); into.append(link(address, shown)); at += shown.length; continue; }
    }

    if ((c === '*' || c === '_') && depth < nesting_max) {
      const found = read_emphasis(text, at);
      if (found) {
        flush();
        const made = element(found.strong ? 'strong' : 'em');
        append_inline(made, found.inside, options, depth + 1);
        into.append(made);
        at = found.end;
        continue;
      }
      const run = /^[*_]+/.exec(text.slice(at, at + 200))[0];
      plain += run;
      at += run.length;
      continue;
    }

    plain += c;
    at += 1;
  }
  flush();
}

function find_ticks(text, from, count) {
  const limit = Math.min(text.length, from + 4000);
  for (let at = text.indexOf('`', from); at !== -1 && at < limit;) {
    let end = at;
    while (text[end] === '`') end += 1;
    if (end - at === count) return at;
    at = text.indexOf('`', end);
  }
  return -1;
}

function read_link(text, at) {
  // Most brackets open no link; this finds out without counting them.
  if (!text.slice(at, at + 1000).includes('](')) return null;
  let depth = 0;
  let close = -1;
  for (let i = at; i < text.length && i < at + 1000; i += 1) {
    if (text[i] === '\\') i += 1;
    else if (text[i] === '[') depth += 1;
    else if (text[i] === ']' && (depth -= 1) === 0) { close = i; break; }
  }
  if (close === -1 || text[close + 1] !== '(') return null;
  const rest = /^\(\s*(?:<([^<>\n]{0,2000})>|((?:[^\s()]|\([^\s()]{0,200}\)){0,2000}))(?:\s+(?:"[^"]{0,500}"|'[^']{0,500}'))?\s*\)/.exec(text.slice(close + 1, close + 3000));
  if (!rest) return null;
  return { label: text.slice(at + 1, close), target: rest[1] ?? rest[2], end: close + 1 + rest[0].length };
}

function read_emphasis(text, at) {
  const c = text[at];
  const run = text[at + 1] === c ? 2 : 1;
  if (text[at + run] === c) return null;
  const before = at > 0 ? text[at - 1] : ' ';
  const first = text[at + run];
  if (first === undefined || /\s/.test(first)) return null;
  if (c === '_' && /[\p{L}\p{N}]/u.test(before)) return null;  // snake_case is no emphasis
  const mark = c.repeat(run);
  const limit = Math.min(text.length, at + 600);  // nobody emphasises more
  for (let end = text.indexOf(mark, at + run + 1); end !== -1 && end < limit; end = text.indexOf(mark, end + 1)) {
    if (/\s/.test(text[end - 1]) || text[end - 1] === '\\') continue;
    if (run === 1 && (text[end + 1] === c || text[end - 1] === c)) continue;
    if (c === '_' && text[end + run] !== undefined && /[\p{L}\p{N}]/u.test(text[end + run])) continue;
    return { strong: run === 2, inside: text.slice(at + run, end), end: end + run };
  }
  return null;
}

// -------------------------------------------------------------------------------------------------- Talking to the API

const slug = decode(location.pathname.replace(/^\/demo\//, '').replace(/\/$/, ''));
const api = '/api/v1';

function decode(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

// Somebody who is signed in and opens a public project asks like any visitor. Only what is not public is asked for in
// their own name.
let as_member = false;
const credentials = () => (as_member ? 'same-origin' : 'omit');

async function get_json(path, signal) {
  const response = await fetch(`${api}${path}`, { headers: { Accept: 'application/json' }, credentials: credentials(), signal });
  if (!response.ok) throw await error_of(response);
  return response.json();
}

// The visitor's token decides whose chat this is, so it lives as long as the tab: sessionStorage survives a reload, while
// localStorage would hand the chat to whoever opens this browser next and to every other tab of this origin.
const token_place = `parley.visitor.${slug}`;
let token = null;

function stored_token() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(token_place) ?? 'null');
    return kept && typeof kept.token === 'string' && kept.until > Date.now() ? kept.token : null;
  } catch {
    return null;  // storage switched off: the token then lives in memory alone
  }
}

function forget_token() {
  token = null;
  try { sessionStorage.removeItem(token_place); } catch { /* nothing kept, nothing to remove */ }
}

async function visitor_token(signal) {
  token ??= stored_token();
  if (token !== null) return token;
  const response = await fetch(`${api}/visitors/`, {
    method: 'POST', credentials: 'omit', signal,
    headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    body: JSON.stringify({ project_slug: slug }),
  });
  if (!response.ok) throw await error_of(response);
  const minted = await response.json();
  token = String(minted.token);
  const life_seconds = Number(minted.expires_in) || 0;
  try {
    // A minute early, so that a question is not sent with a token that expires on the way.
    sessionStorage.setItem(token_place, JSON.stringify({ token, until: Date.now() + (life_seconds - 60) * 1000 }));
  } catch { /* as above */ }
  return token;
}

/// Cuts a byte stream into server-sent events: {name, data}.
async function* events_of(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  let name = 'message';
  let data = [];
  try {
    for (;;) {
      const { value, done } = await reader.read();
      rest += value ?? '';
      // A lone CR may be half of a CR LF that the next piece completes, so the last one waits.
      const lines = rest.split(done ? /\r\n|\n|\r/ : /\r\n|\n|\r(?!$)/);
      rest = lines.pop();
      for (const line of lines) {
        if (line === '') {
          if (data.length > 0) yield { name, data: data.join('\n') };
          name = 'message';
          data = [];
        } else if (line.startsWith('event:')) name = line.slice(6).trim();
        else if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5));
      }
      if (done) return;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/// Sends a message; `on_delta` gets the text so far. Returns the whole answer.
async function send_message(text, signal, on_delta) {
  for (let attempt = 1; ; attempt += 1) {
    const proof = as_member ? csrf_header() : { Authorization: `Bearer ${await visitor_token(signal)}` };
    const body = { message: text, project_slug: slug, metadata: 'demo' };
    if (chat_uuid !== null) body.chat_uuid = chat_uuid;
    const response = await fetch(`${api}/chats/`, {
      method: 'POST', credentials: credentials(), signal,
      headers: { ...proof, 'Content-Type': 'application/json', Accept: 'text/event-stream' },
      body: JSON.stringify(body),
    });
    if (as_member && response.status === 403 && attempt === 1) {
      // Another tab may have changed the session, and with it the token that goes with each question.
      const before = csrf_header()['X-CSRF-Token'];
      if ((await find_session()) !== null && csrf_header()['X-CSRF-Token'] !== before) continue;
    }
    if (!as_member && response.status === 401 && attempt === 1) {
      // The token has expired, or the server has new keys. The next visitor is another person to the server, who may not
      // go on with this chat, so the question starts a new one.
      forget_token();
      chat_uuid = null;
      continue;
    }
    if (!response.ok) throw await error_of(response);
    if (!(response.headers.get('Content-Type') ?? '').startsWith('text/event-stream')) return response.json();
    let so_far = '';
    for await (const event of events_of(response.body)) {
      if (event.name === 'delta') {
        so_far += String(JSON.parse(event.data).text ?? '');
        on_delta(so_far);
      } else if (event.name === 'done') {
        return JSON.parse(event.data);
      } else if (event.name === 'error') {
        const failure = JSON.parse(event.data);
        throw new ApiError(failure?.code === 'rate_limited' ? 429 : 500, failure, null);
      }
    }
    throw new ApiError(0, { error: 'The connection ended before the answer was complete.' }, null);
  }
}

// ------------------------------------------------------------------------------------------------------------ The page

let chat_uuid = null;
let running = null;       // AbortController of the question being answered
let blocked_until = 0;    // time until which the server has asked us to wait
let turn_count = 0;
let countdown = null;

function say(text) {
  const live = by_id('live');
  // The same words twice in a row are not announced unless the region was empty in between.
  live.textContent = '';
  setTimeout(() => { live.textContent = text; }, 60);
}

function scroll_to(node, block) {
  const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  node.scrollIntoView({ block, behavior: calm ? 'auto' : 'smooth' });
}

function show_gone(title, ...paragraphs) {
  by_id('gone-title').textContent = title;
  by_id('gone-text').replaceChildren(...paragraphs);
  by_id('gone').hidden = false;
  document.title = `${title} · Parley`;
  by_id('gone-title').focus();
}

function show_project(project) {
  const name = typeof project.name === 'string' && project.name.trim() !== '' ? project.name : slug;
  document.title = `Ask ${name} · Parley`;
  by_id('project').textContent = name;
  const greeting = typeof project.initial_message === 'string' ? project.initial_message.trim() : '';
  by_id('greeting').textContent = greeting || 'What would you like to know?';
  by_id('powered').hidden = project.whitelabel === true;

  const questions = Array.isArray(project.suggested_questions) ? project.suggested_questions.filter((q) => typeof q === 'string' && q.trim() !== '').slice(0, 6) : [];
  by_id('suggestions').querySelector('ul').replaceChildren(
    ...questions.map((q) => element('li', {}, element('button', { type: 'button', onclick: () => ask(q) }, q))));
  by_id('suggestions').hidden = questions.length === 0;

  const filters = Array.isArray(project.filters) ? project.filters.filter((f) => typeof f?.title === 'string') : [];
  by_id('search-filter').replaceChildren(element('option', { value: '' }, 'Everything'), ...filters.map((f) => element('option', { value: f.title }, f.title)));
  by_id('search-filter').hidden = filters.length === 0;

  by_id('modes').hidden = false;
  show_mode('ask');
}

async function load_project() {
  const path = `/projects/${encodeURIComponent(slug)}/`;
  try {
    return await get_json(path);
  } catch (failure) {
    if (failure.status !== 401 || (await find_session().catch(() => null))?.needs !== 'nothing') throw failure;
    as_member = true;
    return get_json(path);
  }
}

async function open_project() {
  try {
    show_project(await load_project());
  } catch (failure) {
    const retry = element('button', { type: 'button', class: 'quiet', onclick: () => location.reload() }, 'Try again');
    if (failure.status === 401 && !window.isSecureContext) {
      // Only a page that a browser trusts says where it comes from, and the server goes by that.
      show_gone('This page needs HTTPS from here',
        paragraph('Over plain HTTP a browser tells a server which page a request comes from only when both are on the same machine, so the server cannot know that it is this page that asks.'),
        paragraph('Serve Parley with ', code('--tls-cert'), ' and ', code('--tls-key'), ', put it behind a proxy that speaks HTTPS, or open this page on the machine it runs on.'));
    } else if (as_member && (failure.status === 401 || failure.status === 403 || failure.status === 404)) {
      show_gone('There is no such project for you',
        paragraph('No project called ', code(slug), ' is open to you in the organisation you act for. You may belong to another one that has it.'),
        paragraph(element('a', { href: '/account#organisation' }, 'Your account')));
    } else if (failure.status === 401 || failure.status === 403) {
      // The server answers alike for a private project and for none, so this page cannot tell either.
      show_gone('Nothing to ask here without signing in',
        paragraph('There is no public project called ', code(slug), ' on this server. Either it is private, and then its members can ask it, or it does not exist.'),
        element('p', { class: 'go' }, element('a', { class: 'button', href: `/sign-in?to=${encodeURIComponent(location.pathname)}` }, 'Sign in')));
    } else if (failure.status === 404) {
      show_gone('There is no such project', paragraph('This server has no public project called ', code(slug), '. Check the address for a typing mistake, or ask whoever gave it to you.'), paragraph(element('a', { href: '/' }, 'Start page of this server')));
    } else if (failure.status === 429) {
      show_gone('A short pause', paragraph(`This address has sent many requests. ${failure.retry_after ? `Try again in ${seconds_text(failure.retry_after)}.` : 'Try again in a moment.'}`), retry);
    } else {
      show_gone('The server does not answer', paragraph('This page is here, but what it asked for did not arrive. Check your connection; the server may also be starting.'), request_note(failure), retry);
    }
  }
}

function request_note(failure) {
  return failure.request_id ? element('p', { class: 'small' }, `Request ${failure.request_id}`) : '';
}

function show_mode(mode) {
  for (const each of ['ask', 'search']) {
    const on = each === mode;
    by_id(`tab-${each}`).setAttribute('aria-selected', String(on));
    by_id(`tab-${each}`).tabIndex = on ? 0 : -1;
    by_id(`panel-${each}`).hidden = !on;
  }
  by_id('foot').hidden = mode !== 'ask';
  by_id('new-chat').hidden = mode !== 'ask' || turn_count === 0;
  refresh_composer();
  // Opening the keyboard of a phone unasked would hide half of the page.
  if (matchMedia('(hover: hover)').matches) by_id(mode === 'ask' ? 'message' : 'search-box').focus({ preventScroll: true });
}

// Typing and sending

const box = by_id('message');
const send_button = by_id('send');

function refresh_composer() {
  const length = length_of(box.value);
  const over = length > message_length_max;
  const counter = by_id('counter');
  counter.hidden = length < counter_shown_from;
  counter.classList.toggle('over', over);
  counter.textContent = over ? `${length - message_length_max} character${length - message_length_max === 1 ? '' : 's'} too long` : `${message_length_max - length} characters left`;
  box.setAttribute('aria-invalid', String(over));

  box.style.height = 'auto';
  // While it is hidden it has no height to measure, and a height of nothing would stay.
  if (box.scrollHeight > 0) box.style.height = `${Math.min(box.scrollHeight, 192)}px`;

  const wait = Math.ceil((blocked_until - Date.now()) / 1000);
  const may_send = running !== null || (box.value.trim() !== '' && !over && wait <= 0);
  // aria-disabled and not disabled: the button keeps the focus and can say why it does nothing.
  send_button.setAttribute('aria-disabled', String(!may_send));
  send_button.classList.toggle('stop', running !== null);
  send_button.textContent = running !== null ? 'Stop' : wait > 0 ? `${wait} s` : 'Ask';
  if (wait > 0 && running === null) send_button.setAttribute('aria-label', `Ask, possible in ${wait} seconds`);
  else send_button.removeAttribute('aria-label');
}

function show_notice(text) {
  by_id('notice-text').textContent = text;
  by_id('notice').hidden = text === '';
}

function wait_for(seconds) {
  blocked_until = Date.now() + seconds * 1000;
  clearInterval(countdown);
  const tick = () => {
    const left = Math.ceil((blocked_until - Date.now()) / 1000);
    if (left <= 0) {
      clearInterval(countdown);
      show_notice('');
      say('You can ask again.');
    } else {
      show_notice(`That was a lot of questions in a short time. You can ask again in ${seconds_text(left)}. Your text is kept.`);
    }
    refresh_composer();
  };
  tick();
  countdown = setInterval(tick, 1000);
  say(`Too many questions. You can ask again in ${seconds_text(seconds)}. Your text is kept.`);
}

async function ask(text) {
  const question = text.trim();
  if (question === '' || running !== null || length_of(question) > message_length_max || blocked_until > Date.now()) return;

  running = new AbortController();
  const turn = add_turn(question);
  box.value = '';
  show_notice('');
  by_id('welcome').hidden = true;
  by_id('new-chat').hidden = false;
  refresh_composer();
  // On a phone the keyboard goes away, so that the answer can be read; elsewhere one can type on.
  if (matchMedia('(hover: hover)').matches) box.focus({ preventScroll: true }); else box.blur();
  scroll_to(turn.section, 'start');
  say('Looking in the documentation.');

  let frame = 0;
  let latest = '';
  const draw = () => { frame = 0; turn.answer.replaceChildren(element('div', { class: 'prose', dir: 'auto' }, render_markdown(latest))); };
  const current = running;
  try {
    const answer = await send_message(question, current.signal, (so_far) => {
      latest = so_far;
      // Once a frame is enough for the eye and keeps a fast stream from redrawing hundreds of times.
      frame ||= requestAnimationFrame(draw);
    });
    cancelAnimationFrame(frame);
    if (turn.section.isConnected) show_answer(turn, answer);
  } catch (failure) {
    cancelAnimationFrame(frame);
    if (turn.section.isConnected) show_failure(turn, question, failure, latest);
  } finally {
    if (running === current) running = null;
    refresh_composer();
  }
}

function add_turn(question) {
  turn_count += 1;
  const heading = element('h2', { class: length_of(question) > 160 ? 'question long' : 'question', dir: 'auto', id: `question-${turn_count}` }, question);
  const answer = element('div', { class: 'answer', 'aria-busy': 'true' }, element('p', { class: 'waiting' }, 'Looking in the documentation…'));
  const reply = element('div', { class: 'reply' }, answer);
  const section = element('article', { class: 'turn', 'aria-labelledby': heading.id }, heading, reply);
  by_id('thread').append(section);
  return { section, reply, answer, number: turn_count };
}

function show_answer(turn, result) {
  const message = result?.ai_message ?? {};
  const text = typeof message.message === 'string' ? message.message : '';
  const sources = (Array.isArray(message.sources) ? message.sources : []).filter((s) => s && typeof s === 'object').slice(0, 20);
  const answered = result?.answered !== false;
  if (typeof result?.chat_uuid === 'string') chat_uuid = result.chat_uuid;

  // A relative link in quoted text is relative to the page it was quoted from; with several pages nobody can tell which.
  const pages = new Set(sources.map((s) => (safe_address(s.url) ?? '').split('#')[0]));
  const base = pages.size === 1 && !pages.has('') ? [...pages][0] : null;
  const prefix = `source-${turn.number}`;
  const prose = element('div', { class: 'prose', dir: 'auto' }, render_markdown(text, { base, refs: answered ? sources.length : 0, prefix }));

  turn.answer.removeAttribute('aria-busy');
  turn.answer.replaceChildren();
  if (!answered) {
    turn.answer.append(element('p', { class: 'verdict' }, 'Not in the documentation'));
    if (sources.length > 0) drop_list_of_pages(prose);
  }
  turn.answer.append(prose);

  if (sources.length > 0) {
    const title = answered ? (sources.length === 1 ? 'Source' : 'Sources') : sources.length === 1 ? 'Nearest page' : 'Nearest pages';
    const heading = element('h3', { id: `${prefix}-title` }, title);
    turn.reply.classList.add('has-sources');
    turn.reply.append(element('aside', { class: 'sources', 'aria-labelledby': heading.id }, heading,
                              element('ol', {}, ...sources.map((s, i) => source_card(s, i + 1, prefix)))));
  }
  const count = sources.length === 0 ? '' : answered ? ` ${sources.length} source${sources.length === 1 ? '' : 's'}.` : ` ${sources.length} nearest pages.`;
  say(`${answered ? 'Answer' : 'Not in the documentation'}: ${prose.textContent.slice(0, 1500)}.${count}`);
}

/// An answer that found nothing lists the nearest pages for clients that show text alone. Here they stand beside it.
function drop_list_of_pages(prose) {
  const list = prose.lastElementChild;
  if (!list || !/^[UO]L$/.test(list.tagName)) return;
  const lead = list.previousElementSibling;
  list.remove();
  if (lead && lead.tagName === 'P' && lead.textContent.endsWith(':')) lead.textContent = lead.textContent.replace(/[^.!?]{1,200}:$/, '').trim();
}

function source_card(source, number, prefix) {
  const title = typeof source.title === 'string' && source.title.trim() !== '' ? source.title : `Page ${number}`;
  const url = typeof source.url === 'string' ? source.url : '';
  const quote = typeof source.quote === 'string' ? source.quote.trim() : '';
  const address = safe_address(url);
  const name = address ? link(address, title) : element('span', {}, title);
  name.classList.add('source-title');
  const card = element('li', { class: 'source', id: `${prefix}-${number}` }, element('span', { class: 'number', 'aria-hidden': 'true' }, String(number)),
                       element('div', {}, name, url === '' ? '' : element('span', { class: 'source-url' }, ...shown_address(url))));
  if (quote !== '') {
    const characters = [...quote];
    const long = characters.length > quote_length_shown + 60;
    const cut = long ? `${characters.slice(0, quote_length_shown).join('').replace(/\s+\S*$/, '')} …` : quote;
    const body = element('blockquote', { class: 'source-quote', dir: 'auto' }, cut);
    card.append(body);
    if (long) {
      const more = element('button', { type: 'button', class: 'more', 'aria-expanded': 'false' }, 'Whole quote');
      more.addEventListener('click', () => {
        const open = more.getAttribute('aria-expanded') === 'false';
        body.textContent = open ? quote : cut;
        more.textContent = open ? 'Shorter' : 'Whole quote';
        more.setAttribute('aria-expanded', String(open));
      });
      card.append(more);
    }
  }
  return card;
}

/// An address as text that may break before its separators and, only if one part is too long for the line, elsewhere.
function shown_address(url) {
  const parts = url.replace(/^https?:\/\//, '').replace(/\/$/, '').split(/(?=[/#?&])/);
  return parts.flatMap((part, i) => (i === 0 ? [part] : [element('wbr'), part]));
}

function show_failure(turn, question, failure, so_far) {
  if (failure.name === 'AbortError') {
    turn.answer.removeAttribute('aria-busy');
    turn.answer.replaceChildren(element('div', { class: 'prose', dir: 'auto' }, render_markdown(so_far)), element('p', { class: 'small' }, 'Stopped.'));
    say('Stopped.');
    return;
  }
  // Words typed since then are not thrown away for the ones that failed.
  const give_back = () => { if (box.value.trim() === '') box.value = question; };
  if (failure.status === 429) {
    turn.section.remove();
    if (by_id('thread').childElementCount === 0) { by_id('welcome').hidden = false; by_id('new-chat').hidden = true; }
    give_back();
    wait_for(failure.retry_after ?? 10);
    return;
  }
  if (failure.status === 404) chat_uuid = null;  // the chat is gone; asking again starts another

  const [title, hint] = explain(failure, so_far);
  turn.reply.classList.add('failed');
  turn.answer.removeAttribute('aria-busy');
  const again = element('button', { type: 'button', class: 'quiet again' }, 'Ask again');
  again.addEventListener('click', () => {
    if (running !== null) return;
    turn.section.remove();
    ask(question);
  });
  turn.answer.replaceChildren(paragraph(element('strong', {}, title)), hint ? paragraph(hint) : '', request_note(failure), again);
  say(`${title} ${hint}`);
}

function explain(failure, so_far) {
  // A connection that breaks in the middle is reported by the browser in words of its own.
  if (failure.status === undefined && so_far !== '') return ['The answer was cut off.', 'The connection ended before it was complete.'];
  switch (failure.status) {
    case undefined: return ['The server could not be reached.', 'Check your connection, then ask again.'];
    case 0: return ['The answer was cut off.', sentence(failure.message)];
    case 400: return ['The server could not read this question.', sentence(failure.message)];
    case 401: case 403: return ['This page may not ask this project.', as_member ? 'You may have been signed out. Load the page again to sign in.' : 'The project may have become private since this page was opened.'];
    case 404: return ['This chat or project is not there any more.', 'Asking again starts a new chat.'];
    case 402: return ['The budget for answers is used up.', sentence(failure.message)];
    case 413: return ['This question is too long for the server.', sentence(failure.message)];
    case 503: return ['The server is busy just now.', 'Ask again in a moment.'];
    case 507: return ['The server has no room left to store this.', 'Whoever runs it has to make some first. Nothing was lost.'];
    default: return ['Something went wrong on the server.', sentence(failure.message)];
  }
}

function new_chat() {
  running?.abort();
  running = null;
  chat_uuid = null;
  turn_count = 0;
  by_id('thread').replaceChildren();
  by_id('welcome').hidden = false;
  by_id('new-chat').hidden = true;
  window.scrollTo(0, 0);
  refresh_composer();
  box.focus();
  say('New chat.');
}

// Searching

const search_delay_ms = 250;
let search_timer = 0;
let searching = null;

function search_soon() {
  clearTimeout(search_timer);
  search_timer = setTimeout(search, search_delay_ms);
}

async function search() {
  clearTimeout(search_timer);
  searching?.abort();
  const words = by_id('search-box').value.trim();
  const note = by_id('search-note');
  by_id('hand-over').hidden = words === '';
  by_id('hand-over').textContent = `Ask instead: “${words}”`;
  if (length_of(words) < 2) { by_id('search-results').replaceChildren(); note.textContent = ''; return; }
  searching = new AbortController();
  const filter = by_id('search-filter').value;
  const query = new URLSearchParams(filter === '' ? { q: words } : { q: words, filter_title: filter });
  try {
    const found = await get_json(`/projects/${encodeURIComponent(slug)}/search/?${query}`, searching.signal);
    const results = (Array.isArray(found?.results) ? found.results : []).slice(0, 50);
    note.textContent = results.length === 0 ? 'No page has these words.' : `${results.length} result${results.length === 1 ? '' : 's'}`;
    by_id('search-results').replaceChildren(...results.map((result) => result_item(result, words)));
  } catch (failure) {
    if (failure.name === 'AbortError') return;
    by_id('search-results').replaceChildren();
    note.textContent = failure.status === 429 ? `Too many searches just now. Try again in ${seconds_text(failure.retry_after ?? 10)}.` : `The search did not work. ${failure.status ? sentence(failure.message) : 'The server could not be reached.'}`;
  }
}

function result_item(result, words) {
  const title = typeof result?.title === 'string' && result.title !== '' ? result.title : 'Untitled page';
  const url = typeof result?.url === 'string' ? result.url : '';
  const address = safe_address(url);
  const name = address ? link(address) : element('span');
  append_marked(name, title, words);
  const text = element('p', { class: 'result-text' });
  append_marked(text, typeof result?.fragment === 'string' ? result.fragment : '', words);
  return element('li', {}, element('p', { class: 'result-title' }, name), url === '' ? '' : element('p', { class: 'result-url' }, ...shown_address(url)), text);
}

function append_marked(into, text, words) {
  const wanted = words.toLowerCase().split(/[^\p{L}\p{N}]+/u).filter((word) => word.length > 2).slice(0, 20);
  for (const part of text.split(/([\p{L}\p{N}]+)/u)) {
    if (part === '') continue;
    // By beginnings, since the index finds other forms of a word too.
    const lower = part.toLowerCase();
    const is_form_of = (word) => lower.startsWith(word) || (lower.length > 4 && word.startsWith(lower) && word.length - lower.length < 4);
    into.append(wanted.some(is_form_of) ? element('mark', {}, part) : part);
  }
}

// Wiring

function wire() {
  by_id('composer').addEventListener('submit', (event) => {
    event.preventDefault();
    if (running !== null) running.abort(); else ask(box.value);
  });
  box.addEventListener('keydown', (event) => {
    // While an input method composes a word, Enter accepts it. Safari says so by the number alone.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    if (running === null) ask(box.value);
  });
  box.addEventListener('input', refresh_composer);
  by_id('new-chat').addEventListener('click', new_chat);

  for (const mode of ['ask', 'search']) by_id(`tab-${mode}`).addEventListener('click', () => show_mode(mode));
  by_id('modes').addEventListener('keydown', (event) => {
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
    event.preventDefault();
    const mode = by_id('tab-ask').getAttribute('aria-selected') === 'true' ? 'search' : 'ask';
    show_mode(mode);
    by_id(`tab-${mode}`).focus();
  });

  by_id('search-form').addEventListener('submit', (event) => { event.preventDefault(); search(); });
  by_id('search-box').addEventListener('input', search_soon);
  by_id('search-filter').addEventListener('change', search);
  by_id('hand-over').addEventListener('click', () => {
    const words = by_id('search-box').value;
    show_mode('ask');
    box.value = words;
    refresh_composer();
    ask(words);
  });

  refresh_composer();
  open_project();
}

wire();
