// @ts-check
// Calls the API with a session, signs out, and calls it once more with the token that has not expired.
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { createAuthService } from 'holdfast';
import { node } from 'holdfast/node';

const issuer = process.env['ISSUER'] ?? 'http://localhost:4700';
const api = process.env['API'] ?? 'http://localhost:4701';
const auth = createAuthService({
  issuer,
  clientId: 'native',
  platform: node({ name: 'example-api' }),
  resources: [api], // the token goes to this origin too, and to no other
});

try {
  console.log('without a session:', (await fetch(`${api}/notes`)).status);
  await auth.signIn({ username: 'ada@example.org', password: 'correct horse battery staple' });
  console.log('with the session:', (await auth.fetch(`${api}/notes`)).status);

  const token = await auth.getAccessToken();
  await auth.signOut();
  const headers = { authorization: `Bearer ${token}` };
  const startedAt = Date.now();
  let { status } = await fetch(`${api}/notes`, { headers });
  while (status === 200 && Date.now() - startedAt < 10_000) {
    await pause(100);
    ({ status } = await fetch(`${api}/notes`, { headers }));
  }
  console.log('with its token after the sign-out:', status);
} finally {
  auth.dispose();
}
