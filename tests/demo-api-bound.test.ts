// The demo's API with sessions that are bound to a key: an access token counts together with a proof by that key, about the URL
// that the client knows, whatever name the request arrived under.
import { createHash, randomBytes } from 'node:crypto';
import { createDemoApi, demoUser, type DemoApi } from '@holdfast/demo-api';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from './test-database.ts';

let database: TestDatabase;
let api: DemoApi;
/** The same server under another name than its issuer's, as behind a proxy. */
let innerUrl: string;

beforeAll(async () => {
  database = await createTestDatabase();
  api = await createDemoApi({
    databaseUrl: database.databaseUrl,
    secret: 'a secret for tests that is long enough',
    demo: true,
  });
  innerUrl = api.url.replace('localhost', '127.0.0.1');
});
afterAll(async () => {
  await api?.close();
  await database?.drop();
});

const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url');

type Prove = (
  method: string,
  url: string,
  more?: { readonly nonce?: string; readonly accessToken?: string },
) => Promise<string>;

async function createProver(): Promise<Prove> {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const jwk = await exportJWK(publicKey);
  return (htm, htu, { nonce, accessToken } = {}) =>
    new SignJWT({ htm, htu, jti: crypto.randomUUID(), nonce, ath: accessToken && sha256(accessToken) })
      .setIssuedAt()
      .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk })
      .sign(privateKey);
}

/** Signs in over the inner URL, with proofs about the public one. */
async function signIn(prove: Prove): Promise<string> {
  const verifier = randomBytes(32).toString('base64url');
  const post = (path: string, form: Readonly<Record<string, string>>, dpop?: string): Promise<Response> =>
    fetch(`${innerUrl}${path}`, {
      method: 'POST',
      headers: dpop === undefined ? {} : { dpop },
      body: new URLSearchParams({ client_id: 'native', ...form }),
    });
  const challenge = await post('/authorize-challenge', {
    username: demoUser.username,
    password: demoUser.password,
    code_challenge: sha256(verifier),
    code_challenge_method: 'S256',
  });
  const { authorization_code: code } = (await challenge.json()) as { authorization_code: string };
  const exchange = { grant_type: 'authorization_code', code, code_verifier: verifier };
  const asked = await post('/token', exchange, await prove('POST', `${api.url}/token`));
  const nonce = asked.headers.get('dpop-nonce') ?? '';
  const answer = await post('/token', exchange, await prove('POST', `${api.url}/token`, { nonce }));
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { access_token: string }).access_token;
}

it('takes a bound access token with its proof, and with no other', async () => {
  const prove = await createProver();
  const accessToken = await signIn(prove);
  const read = async (scheme: string, dpop?: string): Promise<readonly [number, string]> => {
    const headers = { authorization: `${scheme} ${accessToken}`, ...(dpop === undefined ? {} : { dpop }) };
    const response = await fetch(`${innerUrl}/me?fresh=1`, { headers });
    return [response.status, response.headers.get('www-authenticate') ?? ''];
  };
  expect(await read('DPoP', await prove('GET', `${api.url}/me`, { accessToken }))).toEqual([200, '']);
  const refused = [401, expect.stringMatching(/^DPoP error="invalid_(token|dpop_proof)"/)];
  expect(await read('Bearer')).toEqual(refused);
  expect(await read('DPoP')).toEqual(refused);
  expect(await read('DPoP', await prove('GET', `${innerUrl}/me`, { accessToken }))).toEqual(refused);
  expect(await read('DPoP', await prove('POST', `${api.url}/me`, { accessToken }))).toEqual(refused);
  expect(await read('DPoP', await prove('GET', `${api.url}/me`))).toEqual(refused);
  const stranger = await createProver();
  expect(await read('DPoP', await stranger('GET', `${api.url}/me`, { accessToken }))).toEqual(refused);
});
