// The start page is complete without this: it only adds what is so at the moment.

async function answers(path) {
  try {
    return (await fetch(path, { credentials: 'omit', cache: 'no-store' })).ok;
  } catch {
    return false;
  }
}

const [ready, demo] = await Promise.all([answers('/readyz'), answers('/api/v1/projects/parley/')]);
const state = document.getElementById('state');
state.textContent = ready ? 'Ready to answer.' : 'Not ready to answer just now; the log of the server says why.';
state.classList.add(ready ? 'ready' : 'unready');
document.getElementById('demo').hidden = !demo;
