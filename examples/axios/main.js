// @ts-check
// axios with a session: requests before and after the access token expires, and one refresh in between.
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import axios from 'axios';
import { createAuthService, createRefreshLog } from 'holdfast';
import { attach } from 'holdfast/axios';
import { node } from 'holdfast/node';

const issuer = process.env['ISSUER'] ?? 'http://localhost:4700';
const auth = createAuthService({
  issuer,
  clientId: 'native',
  platform: node({ name: 'example-axios' }),
  onEvent: createRefreshLog(console.log),
});

// The parked requests wait up to 120 s, so the timeout of axios is longer.
const client = axios.create({ baseURL: issuer, timeout: 150_000 });
attach(client, auth); // from here on, nothing in the program is about tokens

try {
  await auth.signIn({ username: 'ada@example.org', password: 'correct horse battery staple' });
  const { data } = await client.get('/api/me');
  console.log(`signed in as ${data.name}`);

  // Until the access token has expired.
  const session = auth.getSnapshot();
  const expiresAt = session.status === 'active' ? session.accessTokenExpiresAtMs : null;
  await pause((expiresAt ?? 0) - Date.now());
  const responses = await Promise.all([1, 2, 3, 4, 5].map(() => client.get('/api/me')));
  console.log(`axios: ${responses.map(({ status }) => status).join(', ')}`);
  await auth.signOut();
} finally {
  auth.dispose();
}
