// Accepts an invitation. Its secret arrives after the # of the address, which a browser sends to nobody, and leaves in the
// body of requests.
//
// Somebody new chooses a password. Somebody who has an account here signs in to it first, in another tab: the secret is
// kept nowhere but in this page, so it cannot be taken along to the page for signing in and back.

import { ask, by_id, explain, find_session, show_field_error, take_token, text_of, wire_form, wrong_new_password } from '/assets/page.js';

let token = '';
let invited = null;

function show(step) {
  for (const each of ['waiting', 'gone', 'asking', 'joining']) by_id(each).hidden = each !== step;
}

function show_gone(title, text, request_id = '') {
  by_id('gone-title').textContent = title;
  by_id('gone-text').textContent = text;
  by_id('gone-request').textContent = request_id === '' ? '' : `Request ${request_id}`;
  show('gone');
  by_id('gone-title').focus();
}

// One answer for used, withdrawn, too old and never given: the server tells no difference either.
const not_valid = ['This invitation is not valid any more', 'It works once and for a few days, and may have been withdrawn. Ask whoever invited you for another. If you have accepted it already, sign in.'];
const words = (failure) => (failure.status === 404 ? [`${not_valid[0]}.`, not_valid[1]] : null);

/// Whether whoever is signed in here is the one who was invited; says what to do if not.
async function look_who_is_here() {
  const session = await find_session().catch(() => null);
  const email = session?.needs === 'nothing' ? text_of(session.account?.email) : '';
  const is_invited = email.toLowerCase() === invited.email.toLowerCase();
  by_id('joining-who').textContent = is_invited ? `You are signed in as ${email}.`
    : email !== '' ? `You are signed in as ${email}, but the invitation is for ${invited.email}. Sign out first, then sign in with that address.`
      : `You have an account here, ${invited.email}. Sign in to it in another tab, then come back to this one.`;
  by_id('join').hidden = !is_invited;
  by_id('joining-sign-in').hidden = is_invited;
  by_id('joining-sign-in').firstElementChild.textContent = email === '' ? 'Sign in' : 'Your account';
  by_id('joining-sign-in').firstElementChild.href = email === '' ? '/sign-in' : '/account';
}

async function look() {
  token = take_token();
  if (token === '') {
    show_gone('This link is not complete', 'The part after # is missing. Open the link from your invitation again, whole.');
    return;
  }
  show('waiting');
  try {
    const found = await ask('POST', '/invitations/look/', { token });
    invited = { email: text_of(found.email) };
    const step = found.has_account === true ? 'joining' : 'asking';
    by_id(`${step}-title`).textContent = `Join ${text_of(found.organisation)}`;
    by_id(`${step}-lead`).textContent = `You are invited as ${text_of(found.role)}.${step === 'asking' ? ' Choose a password, and you are in.' : ''}`;
    by_id('email').value = invited.email;
    show_field_error(by_id('password'), '');
    if (step === 'joining') await look_who_is_here();
    show(step);
    by_id(`${step}-title`).focus();
  } catch (failure) {
    if (failure.status === 404) show_gone(...not_valid, failure.request_id);
    else show_gone(...explain(failure), failure.request_id);
  }
}

wire_form(by_id('form'), {
  spoken: { password: 'The password' },
  check: ({ password }) => ({ password: wrong_new_password(password) }),
  send: ({ password }) => ask('POST', '/invitations/accept/', { token, password }),
  words,
  done: () => {
    token = '';
    by_id('form').reset();
    // Knows what the new session still owes.
    location.replace('/sign-in');
  },
});

wire_form(by_id('join'), {
  send: () => ask('POST', '/invitations/accept/', { token }),
  words,
  done: () => {
    token = '';
    location.replace('/account#organisation');
  },
});

window.addEventListener('hashchange', look);
document.addEventListener('visibilitychange', () => { if (!document.hidden && !by_id('joining').hidden) look_who_is_here(); });
await look();
