// A new password: asks for the link, and with the link for the password.

import { ask, by_id, take_token, wire_form, wrong_email, wrong_new_password } from '/assets/page.js';

let token = '';

function show(step) {
  for (const each of ['asking', 'sent', 'choosing', 'finished']) by_id(each).hidden = each !== step;
  by_id(`${step}-title`)?.focus();
}

function begin() {
  token = take_token();
  show(token === '' ? 'asking' : 'choosing');
}

wire_form(by_id('form'), {
  spoken: { email: 'The e-mail address' },
  check: ({ email }) => ({ email: wrong_email(email) }),
  send: ({ email }) => ask('POST', '/password-resets/', { email }),
  done: (answer, { email }) => {
    by_id('sent-lead').textContent = `If ${email} belongs to an account here, a link is on its way. It works once and for a short time.`;
    show('sent');
  },
});

wire_form(by_id('new-form'), {
  spoken: { password: 'The password' },
  check: ({ password }) => ({ password: wrong_new_password(password) }),
  send: ({ password }) => ask('POST', '/password-resets/finish/', { token, password }),
  words: (failure) => ([401, 404].includes(failure.status) ? ['This link is not valid any more.', 'It works once and for a short time. Ask for another one.'] : null),
  done: () => {
    token = '';
    by_id('new-form').reset();
    show('finished');
  },
});

window.addEventListener('hashchange', begin);
begin();
