// @ts-check
// ky with a session: requests before and after the access token expires, and one refresh in between.
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { createAuthService, createRefreshLog } from 'holdfast';
import { attach } from 'holdfast/ky';
import { node } from 'holdfast/node';
import ky from 'ky';

const issuer = process.env['ISSUER'] ?? 'http://localhost:4700';
const auth = createAuthService({
  issuer,
  clientId: 'native',
  platform: node({ name: 'example-ky' }),
  onEvent: createRefreshLog(console.log),
});

// The parked requests wait up to 120 s, so ky has no timeout of its own.
const client = attach(ky.create({ prefix: issuer, timeout: false }), auth); // from here on, nothing is about tokens

try {
  await auth.signIn({ username: 'ada@example.org', password: 'correct horse battery staple' });
  const me = await client.get('api/me').json();
  console.log('signed in as', me);

  // Until the access token has expired.
  const session = auth.getSnapshot();
  const expiresAt = session.status === 'active' ? session.accessTokenExpiresAtMs : null;
  await pause((expiresAt ?? 0) - Date.now());
  const responses = await Promise.all([1, 2, 3, 4, 5].map(() => client.get('api/me')));
  console.log(`ky: ${responses.map(({ status }) => status).join(', ')}`);
  await auth.signOut();
} finally {
  auth.dispose();
}
