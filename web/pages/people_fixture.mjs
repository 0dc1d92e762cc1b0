// For tests of the pages: an interface for people in memory, as the pages see Parley's, with one organisation of a few
// invented-by-role members. Codes are fixed and passkeys believed: what a server has to check is tested there.

import crypto from 'node:crypto';

import { send_json } from './page_fixture.mjs';

export const password = `right-${crypto.randomUUID()}`;
export const good_code = '123456';
const cookie_name = '__Host-parley_session';
const day = 86_400_000;
const at = (days) => new Date(Date.now() + days * day).toISOString();
const uuid = () => crypto.randomUUID();
const codes = () => Array.from({ length: 10 }, () => crypto.randomBytes(6).toString('hex').replace(/(.{4})(?=.)/g, '$1-'));

const all_scopes = ['project_read', 'project_search', 'project_sources_read', 'project_sources_create', 'project_sources_delete', 'project_sync', 'chat_create', 'chats_read', 'chats_delete', 'project_manage', 'keys_manage', 'members_read', 'members_manage', 'organisation_manage', 'trail_read'];

const qr = () => {
  const squares = [];
  for (let y = 0; y < 33; y += 1) for (let x = 0; x < 33; x += 1) if (Math.random() < 0.5) squares.push(`M${x + 4} ${y + 4}h1v1h-1z`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 41 41"><path fill="#fff" d="M0 0h41v41H0z"/><path d="${squares.join('')}"/></svg>`;
};

/// A fresh state; `state.calls` has every request as [method, path, body].
export function make_people() {
  const account = { id: uuid(), email: 'owner@example.com', confirmed: true };
  const organisation = { id: uuid(), name: 'Example Works' };
  const state = {
    calls: [], sessions: new Map(), account, organisation, role: 'administrator', totp: false, enrolment: false, fresh: true, mail: false,
    recovery: [], passkeys: [], linked: [], offered: [], scopes: all_scopes, fail: null,
    organisations: [{ ...organisation, role: 'administrator' }, { id: uuid(), name: 'Second House', role: 'viewer' }],
    require_second_factor: false,
    projects: [{ id: uuid(), slug: 'docs', name: 'Product documentation', is_private: false, origins: [], server_reads: false, biel_compat: false }, { id: uuid(), slug: 'handbook', name: 'Internal handbook', is_private: true, origins: [], server_reads: false, biel_compat: false }],
    others: [{ id: uuid(), client: 'Safari on iPhone', created_at: at(-3), last_seen_at: at(-0.2), current: false }, { id: uuid(), client: 'Firefox on Windows', created_at: at(-9), last_seen_at: at(-8), current: false }],
    members: [
      { id: account.id, email: account.email, role: 'administrator', grants: [], groups: [], second_factor: true, last_seen_at: at(0), disabled: false },
      { id: uuid(), email: 'writer.with.a.rather.long.address@documentation.example.com', role: 'viewer', grants: [{ project: 'docs', role: 'maintainer' }], groups: ['staff', 'board'], second_factor: false, last_seen_at: at(-30), disabled: false },
      { id: uuid(), email: 'support@example.com', role: 'editor', grants: [], groups: [], second_factor: true, last_seen_at: null, disabled: true }],
    invitations: [{ id: uuid(), email: 'newcomer@example.com', role: 'editor', created_at: at(-1), expires_at: at(6) }],
    keys: [],
  };
  const [docs, handbook] = state.projects.map((each) => each.id);
  state.keys = [
    { id: uuid(), name: 'Website widget', kind: 'public', state: 'active', last4: 'b3xQ', scopes: ['project_read', 'project_search', 'chat_create'], project: docs, origins: ['https://www.example.com', 'https://docs.example.com'], created_at: at(-20), expires_at: at(70), last_used_at: at(0) },
    { id: uuid(), name: 'Nightly import', kind: 'secret', state: 'active', last4: '9fKe', scopes: ['project_sources_read', 'project_sources_create', 'project_sources_delete', 'project_sync'], addresses: ['192.0.2.0/24'], groups: ['staff'], created_at: at(-80), expires_at: at(9), last_used_at: at(-0.5) },
    { id: uuid(), name: 'Quarterly report', kind: 'secret', state: 'idle', last4: 'T0pa', scopes: ['chats_read'], project: handbook, created_at: at(-200), expires_at: at(150), last_used_at: at(-64), exception: { reason: 'Runs once a quarter, from the accounting system', since: at(-200) } },
    { id: uuid(), name: 'Trial', kind: 'secret', state: 'expired', last4: 'Wm2c', scopes: ['project_read'], created_at: at(-100), expires_at: at(-10) }];
  /// A session as after signing in; gives its cookie's value.
  state.sign_in = (needs = 'nothing') => {
    const token = uuid();
    state.sessions.set(token, { id: uuid(), needs, csrf: uuid() });
    return token;
  };
  state.cookie = (origin, needs) => ({ name: cookie_name, value: state.sign_in(needs), url: origin.replace('http://', 'https://'), httpOnly: true, secure: true, sameSite: 'Strict' });
  return state;
}

const ways = (state) => [...(state.totp ? ['totp', 'recovery_code'] : []), ...(state.passkeys.length > 0 ? ['passkey'] : [])];

/// Answers what the contract of the interface for people names. False if it is another address.
export function answer_people(state, { method, pathname, query, headers, body: text }, response) {
  if (!pathname.startsWith('/api/v1/')) return false;
  const path = pathname.slice('/api/v1'.length);
  const body = text === '' ? null : JSON.parse(text);
  const refuse = (status, code, error, more = {}) => { send_json(response, status, { error, code, request_id: '00000000-0000-4000-8000-00000000abcd' }, more); return true; };
  const give = (status, value, more = {}) => { send_json(response, status, value, more); return true; };
  const nothing = () => { response.writeHead(204); response.end(); return true; };
  const rotate = (session) => {
    for (const [token, each] of state.sessions) if (each === session) state.sessions.delete(token);
    const token = uuid();
    const next = { ...session, csrf: uuid() };
    state.sessions.set(token, next);
    return [next, { 'Set-Cookie': `${cookie_name}=${token}; HttpOnly; Secure; SameSite=Strict; Path=/` }];
  };
  const begin = (needs) => {
    const [session, cookie] = rotate({ id: uuid(), needs });
    return give(200, { needs, factors: ways(state), csrf: session.csrf }, cookie);
  };
  const line = `${method} ${path}`;
  const one = (pattern) => { const found = new RegExp(`^${pattern.replace('{id}', '([^/ ]+)')}$`).exec(line); return found && decodeURIComponent(found[1]); };
  state.calls.push([method, path, body]);

  const failing = state.fail?.(line);
  if (failing) return refuse(...failing);

  // What needs no session
  switch (line) {
    case 'POST /session/':
      if (body.email !== state.account.email || body.password !== password) return refuse(401, 'unauthenticated', 'the address and the password do not belong together');
      return begin(ways(state).length > 0 ? 'factor' : state.enrolment ? 'enrolment' : 'nothing');
    case 'GET /providers/': return give(200, { providers: query.get('organisation') === 'Example Works' ? [{ id: 'p', name: 'Example Login', start: '/sign-in/with/p' }] : [] });
    case 'POST /invitations/look/':
      if (body.token === 'has-account') return give(200, { organisation: 'Second House', email: state.account.email, role: 'viewer', has_account: true });
      if (body.token !== 'invited') return refuse(404, 'not_found', 'the invitation does not hold');
      return give(200, { organisation: 'Example Works', email: 'newcomer@example.com', role: 'editor', has_account: false });
    case 'POST /invitations/accept/':
      if (body.token === 'has-account') break;
      if (body.password === 'aaaaaaaaaaaa') return refuse(400, 'invalid_argument', 'the password is too easy to guess');
      return begin('nothing');
    case 'POST /password-resets/': return give(202, {});
    case 'POST /password-resets/finish/': return body.token === 'reset' ? give(200, {}) : refuse(404, 'not_found', 'the link does not hold');
    case 'POST /email-confirmations/': return body.token === 'confirm' ? give(200, {}) : refuse(404, 'not_found', 'the link does not hold');
    default:
  }

  const token = new RegExp(`${cookie_name}=([^;]+)`).exec(headers.cookie ?? '')?.[1];
  const session = state.sessions.get(token);

  if (line === 'POST /session/passkey/options/') {
    return give(200, { publicKey: { challenge: crypto.randomBytes(32).toString('base64url'), rpId: 'localhost', userVerification: 'preferred', timeout: 60_000, allowCredentials: session ? state.passkeys.map((each) => ({ type: 'public-key', id: each.credential })) : [] } });
  }
  if (line === 'POST /session/passkey/') {
    if (!state.passkeys.some((each) => each.credential === body.credential.id)) return refuse(401, 'unauthenticated', 'the passkey does not hold');
    state.fresh = true;
    return begin('nothing');
  }

  if (!session) return refuse(401, 'unauthenticated', 'a credential is needed');
  if (method !== 'GET' && headers['x-csrf-token'] !== session.csrf) return refuse(403, 'permission_denied', 'the request did not come from our own page; load the page again');
  const whole = () => ({
    needs: session.needs, csrf: session.csrf, account: state.account, organisation: state.organisation && { ...state.organisation, role: state.role, requires_second_factor: state.require_second_factor },
    organisations: state.organisations, scopes: state.scopes, factors: ways(state), factor_fresh: state.fresh, mail: state.mail,
  });
  const owed = () => refuse(401, 'unauthenticated', session.needs === 'factor' ? 'the second factor is still to be presented' : 'a second factor is to be set up first');
  const enrolled = (more) => {
    const [next, cookie] = rotate({ ...session, needs: 'nothing' });
    return give(more.id ? 201 : 200, { csrf: next.csrf, needs: 'nothing', ...more }, cookie);
  };

  switch (line) {
    case 'GET /session/': return give(200, whole());
    case 'POST /invitations/accept/': return session.needs === 'nothing' && body.password === undefined ? give(200, { needs: 'nothing', csrf: session.csrf }) : refuse(401, 'unauthenticated', 'sign in again');
    case 'DELETE /session/':
      state.sessions.delete(token);
      return nothing();
    case 'POST /session/factor/': {
      const is_code = body.recovery_code !== undefined && state.recovery.includes(body.recovery_code);
      if (is_code) state.recovery = state.recovery.filter((each) => each !== body.recovery_code);
      if (!is_code && body.totp !== good_code) return refuse(401, 'unauthenticated', 'the code does not hold');
      state.fresh = true;
      const [next, cookie] = rotate({ ...session, needs: 'nothing' });
      return give(200, { needs: 'nothing', csrf: next.csrf }, cookie);
    }
    default:
  }
  if (session.needs === 'factor') return owed();
  switch (line) {
    case 'GET /account/factors/': return give(200, { factors: state.totp ? [{ kind: 'totp' }] : [], recovery_codes_left: state.recovery.length, passkeys: state.passkeys.map(({ credential, ...each }) => each) });
    case 'POST /account/totp/': return give(200, { secret: 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', uri: 'otpauth://totp/Parley:owner', qr: qr() });
    case 'POST /account/totp/confirm/':
      if (body.code !== good_code) return refuse(401, 'unauthenticated', 'the code does not hold');
      [state.totp, state.recovery, state.fresh] = [true, codes(), true];
      return enrolled({ recovery_codes: state.recovery });
    case 'POST /account/passkeys/options/':
      return give(200, { publicKey: {
        challenge: crypto.randomBytes(32).toString('base64url'), rp: { id: 'localhost', name: 'Parley' }, user: { id: crypto.randomBytes(32).toString('base64url'), name: state.account.email, displayName: state.account.email },
        pubKeyCredParams: [{ type: 'public-key', alg: -7 }], attestation: 'none', timeout: 60_000, authenticatorSelection: { residentKey: 'required', userVerification: 'preferred' },
        excludeCredentials: state.passkeys.map((each) => ({ type: 'public-key', id: each.credential })) } });
    case 'POST /account/passkeys/': {
      const made = { id: uuid(), name: body.name, created_at: at(0), last_used_at: null, credential: body.credential.id };
      state.passkeys.push(made);
      const first = state.recovery.length === 0;
      if (first) state.recovery = codes();
      return enrolled({ id: made.id, ...(first ? { recovery_codes: state.recovery } : {}) });
    }
    default:
  }
  if (session.needs === 'enrolment') return owed();
  const needs_fresh = () => refuse(403, 'permission_denied', 'present a second factor again first');
  let id;
  if (line === 'PUT /session/organisation/') {
    const chosen = state.organisations.find((each) => each.id === body.organisation);
    if (!chosen) return refuse(404, 'not_found', 'there is no such organisation');
    [state.organisation, state.role] = [{ id: chosen.id, name: chosen.name }, chosen.role];
    return give(200, whole());
  }
  if (line === 'POST /account/password/') {
    if (body.old !== password) return refuse(401, 'unauthenticated', 'the password does not hold');
    if (body.new === 'aaaaaaaaaaaa') return refuse(400, 'invalid_argument', 'the password is too easy to guess');
    state.others = [];
    return give(200, { csrf: session.csrf });
  }
  if (line === 'GET /account/sessions/') return give(200, { sessions: [{ id: session.id, client: 'Chrome on Linux', created_at: at(-1), last_seen_at: at(0), current: true }, ...state.others] });
  if (line === 'DELETE /account/sessions/') { state.others = []; return nothing(); }
  if ((id = one('DELETE /account/sessions/{id}/'))) { state.others = state.others.filter((each) => each.id !== id); return nothing(); }
  if (line === 'GET /account/providers/') return give(200, { linked: state.linked, offered: state.offered });
  if (line === 'POST /account/providers/') return give(200, { address: 'https://id.example.com/auth' });
  if ((id = one('DELETE /account/providers/{id}/'))) {
    [state.offered, state.linked] = [state.linked.filter((each) => each.id === id), state.linked.filter((each) => each.id !== id)];
    return nothing();
  }
  if (line === 'DELETE /account/totp/') {
    if (!state.fresh) return needs_fresh();
    [state.totp, state.recovery] = [false, []];
    return nothing();
  }
  if (line === 'POST /account/recovery-codes/') {
    if (!state.fresh) return needs_fresh();
    state.recovery = codes();
    return give(200, { recovery_codes: state.recovery });
  }
  if ((id = one('PUT /account/passkeys/{id}/'))) {
    state.passkeys.find((each) => each.id === id).name = body.name;
    return nothing();
  }
  if ((id = one('DELETE /account/passkeys/{id}/'))) {
    if (!state.fresh) return needs_fresh();
    state.passkeys = state.passkeys.filter((each) => each.id !== id);
    return nothing();
  }

  const forbidden = () => refuse(403, 'permission_denied', 'the role does not include this');
  const scope = path.startsWith('/keys/') ? 'keys_manage' : /^\/(members|invitations)\//.test(path) ? (method === 'GET' && path === '/members/' ? 'members_read' : 'members_manage') : path === '/organisation/' ? 'organisation_manage' : null;
  if (scope && !state.scopes.includes(scope)) return forbidden();
  if (line === 'GET /projects/') return give(200, { projects: state.projects });
  if (line === 'GET /members/') return give(200, { members: state.members });
  if ((id = one('PUT /members/{id}/'))) {
    const member = state.members.find((each) => each.id === id);
    if (member.id === state.account.id && body.role !== 'administrator') return refuse(409, 'conflict', 'an organisation keeps at least one administrator');
    return give(200, Object.assign(member, body));
  }
  if ((id = one('DELETE /members/{id}/'))) { state.members = state.members.filter((each) => each.id !== id); return nothing(); }
  if (line === 'GET /invitations/') return give(200, { invitations: state.invitations });
  if (line === 'POST /invitations/') {
    if (state.members.some((each) => each.email === body.email)) return refuse(409, 'conflict', 'email: belongs to a member already');
    const made = { id: uuid(), email: body.email, role: body.role, created_at: at(0), expires_at: at(7) };
    state.invitations.push(made);
    return give(201, { ...made, ...(state.mail ? {} : { link: `https://parley.example.com/invitation#${uuid()}` }) });
  }
  if ((id = one('DELETE /invitations/{id}/'))) { state.invitations = state.invitations.filter((each) => each.id !== id); return nothing(); }
  if (line === 'GET /organisation/') return give(200, { ...state.organisation, require_second_factor: state.require_second_factor });
  if (line === 'PUT /organisation/') { state.require_second_factor = body.require_second_factor; return give(200, { ...state.organisation, ...body }); }
  if (line === 'GET /keys/') return give(200, { keys: state.keys });
  if (line === 'POST /keys/') {
    if (list_has_path(body.origins)) return refuse(400, 'invalid_argument', 'origins: must be a scheme and a host');
    if ((body.project_slug === undefined) === (body.all_projects !== true)) return refuse(400, 'invalid_argument', 'either project_slug or all_projects is needed');
    const project = state.projects.find((each) => each.slug === body.project_slug);
    const key = { id: uuid(), name: body.name, kind: body.kind, state: 'active', last4: 'n3wK', scopes: body.scopes, ...(project ? { project: project.id } : {}), ...(body.origins ? { origins: body.origins } : {}), created_at: at(0), expires_at: at(Number.parseInt(body.expires, 10)) };
    state.keys.unshift(key);
    return give(201, { ...key, key: `${body.kind === 'public' ? 'pk' : 'sk'}_${crypto.randomBytes(24).toString('base64url')}` });
  }
  if ((id = one('POST /keys/{id}/rotate/'))) {
    const old = state.keys.find((each) => each.id === id);
    const key = { ...old, id: uuid(), last4: 'r0t8', created_at: at(0), expires_at: at(90), last_used_at: undefined };
    old.expires_at = at(1);
    state.keys.unshift(key);
    return give(201, { ...key, key: `sk_${crypto.randomBytes(24).toString('base64url')}` });
  }
  if ((id = one('POST /keys/{id}/enable/'))) return give(200, Object.assign(state.keys.find((each) => each.id === id), { state: 'active' }));
  if ((id = one('DELETE /keys/{id}/'))) { Object.assign(state.keys.find((each) => each.id === id), { state: 'revoked', revoked_at: at(0) }); return give(200, { id, revoked: true }); }
  return false;
}

const list_has_path = (origins) => (origins ?? []).some((each) => /^https?:\/\/[^/]+\/./.test(each));
