// Confirms an e-mail address. By a button: a program that opens links in mail to look at them confirms nothing.

import { ask, by_id, take_token, wire_form } from '/assets/page.js';

let token = '';

function begin() {
  token = take_token();
  by_id('form').hidden = token === '';
  by_id('text').textContent = token === '' ? 'This link is not complete: the part after # is missing. Open the link from your mail again, whole.' : 'So that we know that mail to you arrives.';
}

wire_form(by_id('form'), {
  send: () => ask('POST', '/email-confirmations/', { token }),
  words: (failure) => ([401, 404].includes(failure.status) ? ['This link is not valid any more.', 'It works once and for a short time. If your address is confirmed already, there is nothing to do.'] : null),
  done: () => {
    token = '';
    by_id('form').hidden = true;
    by_id('title').textContent = 'Your address is confirmed';
    by_id('text').textContent = 'There is nothing else to do.';
    by_id('next').hidden = false;
    by_id('title').focus();
  },
});

window.addEventListener('hashchange', begin);
begin();
