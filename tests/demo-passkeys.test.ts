// Everybody who looks at the demo adds passkeys to the same account: it must not be full for the next visitor.
import { createDemoApi, demoUser, type DemoApi } from '@holdfast/demo-api';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createSoftAuthenticator, type CeremonyOptions } from '../server/src/testing/authenticator.ts';
import { signInNative } from './native-session.ts';
import { createTestDatabase, type TestDatabase } from './test-database.ts';

let database: TestDatabase;
let api: DemoApi;

beforeAll(async () => {
  database = await createTestDatabase();
  const { databaseUrl } = database;
  const secret = 'a secret for tests that is long enough';
  api = await createDemoApi({ databaseUrl, secret, demo: true, policy: { requestsPerSecond: 0 } });
});
afterAll(async () => {
  await api?.close();
  await database?.drop();
});

it('the demo account takes a passkey of each visitor, and the newest ones stay', async () => {
  const { accessToken } = await signInNative(api.url, demoUser);
  const headers = { authorization: `Bearer ${accessToken}` };
  const post = (path: string, form: Readonly<Record<string, string>>): Promise<Response> =>
    fetch(api.url + path, { method: 'POST', headers, body: new URLSearchParams(form) });
  const list = async (): Promise<readonly string[]> => {
    const answer = await fetch(`${api.url}/passkeys`, { headers });
    return ((await answer.json()) as { readonly passkeys: readonly { readonly name: string }[] }).passkeys.map(
      ({ name }) => name,
    );
  };
  const names = Array.from({ length: 25 }, (_, visitor) => `Visitor ${visitor + 1}`);
  for (const name of names) {
    const begun = (await (await post('/passkeys/options', {})).json()) as {
      readonly auth_session: string;
      readonly passkey_options: CeremonyOptions;
    };
    const passkey_response = createSoftAuthenticator(api.url).create(begun.passkey_options);
    const { status } = await post('/passkeys', { auth_session: begun.auth_session, passkey_response, name });
    expect([name, status]).toEqual([name, 201]);
  }
  await expect.poll(list).toEqual(names.slice(-10));
});
