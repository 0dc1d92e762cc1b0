// Signs in, step by step on one page: who it is, a second factor, setting one up where that is owed. Then on to where
// one came from.

import { add_passkey, device_name, factor_forms, has_passkeys, recovery_codes, recovery_text, set_up_app, show_passkey } from '/assets/factors.js';
import { ask, by_id, element, find_session, list_of, paragraph, provider_problem, return_path, show_failure, show_problem, sign_out, text_of, wire_form, wrong_email } from '/assets/page.js';

const steps = ['waiting', 'asking', 'factor', 'enrolment', 'codes'];

function show_step(step) {
  for (const each of steps) by_id(each).hidden = each !== step;
  by_id(`${step}-title`)?.focus();
  window.scrollTo(0, 0);
}

/// On to what the session owes, or to the page that was asked for.
function go_on(session) {
  by_id('form').reset();
  if (session.needs === 'factor') {
    by_id('factor-forms').replaceChildren(...factor_forms(list_of(session.factors), go_on));
    document.title = 'Second step · Parley';
    show_step('factor');
    by_id('factor-forms').querySelector('form:not([hidden]) input')?.focus();
  } else if (session.needs === 'enrolment') {
    document.title = 'Set up a second factor · Parley';
    show_step('enrolment');
    by_id('enrolment-passkey').hidden = !has_passkeys;
    set_up_app(by_id('enrolment-app'), enrolled);
  } else {
    show_step('waiting');
    location.replace(return_path());
  }
}

function enrolled(answer) {
  const codes = list_of(answer.recovery_codes);
  if (codes.length === 0) { go_on(answer); return; }
  document.title = 'Recovery codes · Parley';
  by_id('codes-lead').textContent = recovery_text;
  by_id('codes-list').replaceChildren(recovery_codes(codes));
  show_step('codes');
}

wire_form(by_id('codes-form'), {
  check: ({ kept }) => ({ kept: kept ? '' : 'Copy or download the codes first, then tick this.' }),
  send: async () => find_session(),
  done: (session) => { by_id('codes-list').replaceChildren(); go_on(session ?? { needs: 'nothing' }); },
});

wire_form(by_id('form'), {
  spoken: { email: 'The e-mail address', password: 'The password' },
  check: ({ email, password }) => ({ email: wrong_email(email), password: password === '' ? 'Type your password.' : '' }),
  send: ({ email, password }) => ask('POST', '/session/', { email, password }),
  words: (failure) => (failure.status === 401 ? ['The address and the password do not belong together.', 'Check both. If you have forgotten the password, choose a new one.'] : null),
  done: go_on,
});

wire_form(by_id('passkey-form'), {
  send: show_passkey,
  words: (failure) => (failure.status === 401 ? ['This passkey is not known here.', 'It may have been removed. Sign in with your password.'] : null),
  done: go_on,
});
by_id('passkey-form').hidden = !has_passkeys;

/// With the page to come back to, if that is another than the usual one.
const address_of = (provider) => (return_path() === '/account' ? provider.start : `${provider.start}?to=${encodeURIComponent(return_path())}`);

function show_providers(answer) {
  const providers = list_of(answer.providers).filter((each) => /^\/sign-in\/with\/[^/]+$/.test(text_of(each.start)));
  by_id('providers').replaceChildren(providers.length === 0
    ? paragraph('This organisation has no other way to sign in. Use your password or a passkey.')
    : element('ul', {}, ...providers.map((each) => element('li', {}, element('a', { class: 'quiet large', href: address_of(each) }, `Continue with ${text_of(each.name)}`)))));
}

wire_form(by_id('organisation-form'), {
  spoken: { organisation: 'The name' },
  check: ({ organisation }) => ({ organisation: organisation === '' ? 'Type the name of your organisation.' : '' }),
  send: ({ organisation }) => ask('GET', `/providers/?organisation=${encodeURIComponent(organisation)}`),
  done: show_providers,
});

by_id('make-passkey').addEventListener('click', async (event) => {
  const button = event.currentTarget;
  if (button.getAttribute('aria-disabled')) return;
  by_id('enrolment-problem').hidden = true;
  button.setAttribute('aria-disabled', 'true');
  try {
    enrolled(await add_passkey(device_name()));
  } catch (failure) {
    show_failure(by_id('enrolment-problem'), failure);
  } finally {
    button.removeAttribute('aria-disabled');
  }
});
by_id('leave').addEventListener('click', () => sign_out(by_id('enrolment-problem')));
by_id('start-over').addEventListener('click', () => sign_out(by_id('problem')));

// A link of an organisation's own may name it.
const asked = new URLSearchParams(location.search);
const organisation = asked.get('organisation');
if (organisation) {
  by_id('elsewhere').open = true;
  by_id('organisation').value = organisation.slice(0, 100);
  ask('GET', `/providers/?organisation=${encodeURIComponent(organisation)}`).then(show_providers, () => { /* can be asked for by the button */ });
}

show_step('waiting');
try {
  const session = await find_session();
  if (session === null) {
    show_step('asking');
    const problem = provider_problem();
    if (problem) show_problem(by_id('problem'), ...problem);
  } else if (session.needs === 'nothing' && provider_problem()) {
    // Linking it went wrong: that is begun on the page of the account, so it is told there.
    location.replace(`/account${location.search}`);
  } else {
    go_on(session);
  }
} catch (failure) {
  show_step('asking');
  show_failure(by_id('problem'), failure);
}
