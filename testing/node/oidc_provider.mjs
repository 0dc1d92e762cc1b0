// A real OpenID provider on loopback, until it is ended. Prints {"issuer": "…"} when it is
// ready. Keys are made at run time; the client's secret comes from the environment.
import { createServer } from 'node:http';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import Provider from 'oidc-provider';

const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
const people = {
  ada: { email: 'ada@example.org', email_verified: true, groups: ['staff', 'docs'] },
  grace: { email: 'grace@example.org', email_verified: true, groups: ['guests'] },
  mallory: { email: 'ada@example.org', email_verified: false, groups: ['docs'] },
};

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'parley',
        client_secret: process.env.PARLEY_TEST_CLIENT_SECRET,
        redirect_uris: [process.env.PARLEY_TEST_REDIRECT],
        token_endpoint_auth_method: process.env.PARLEY_TEST_AUTHENTICATION,
      },
    ],
    jwks: { keys: [{ ...key, kid: 'made-at-run-time', use: 'sig', alg: 'RS256' }] },
    cookies: { keys: [randomBytes(32).toString('hex')] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], groups: ['groups'], profile: ['name'] },
    pkce: { required: () => true, methods: ['S256'] },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: `subject-${id}`, ...people[id] }) }),
    features: { devInteractions: { enabled: true } },
  });
  server.on('request', provider.callback());
  console.log(JSON.stringify({ issuer }));
});
