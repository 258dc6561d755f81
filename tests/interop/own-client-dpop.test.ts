// Our client and our server, with sessions that are bound to a key: what each was tested for alone, over real HTTP together.
import {
  createAuthService,
  memoryDeviceSecret,
  memoryOutbox,
  memoryVault,
  proofSigner,
  type AuthService,
  type Platform,
} from 'holdfast';
import { exportJWK, generateKeyPair, SignJWT, type JWK } from 'jose';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startRealServer, type RealServer } from './real-server.ts';

type Keys = { readonly privateKey: CryptoKey; readonly jwk: JWK };

const credential = { username: 'ada@example.org', password: 'correct horse battery' };
let server: RealServer;
let requests: { readonly path: string; readonly status: number }[] = [];

beforeAll(async () => {
  // Short-lived access tokens, so that every call needs a refresh.
  server = await startRealServer({ policy: { accessTokenLifetimeSeconds: 1 } });
});
afterAll(() => server?.stop());

async function createKeys(): Promise<Keys> {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  return { privateKey, jwk: await exportJWK(publicKey) };
}

const digest = async (text: string): Promise<string> =>
  Buffer.from(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))).toString('base64url');

function createDevice({ privateKey, jwk }: Keys): Platform {
  return {
    clock: {
      now: () => ({ wallMs: Date.now(), monotonicMs: performance.now() }),
      wake: (delayMs, callback) => {
        const timer = setTimeout(callback, delayMs);
        return () => clearTimeout(timer);
      },
    },
    transport: async ({ url, method, headers, body = null }, signal) => {
      const controller = new AbortController();
      signal.addEventListener('abort', () => controller.abort());
      const response = await fetch(url, { method, headers, body, signal: controller.signal });
      requests.push({ path: new URL(url).pathname, status: response.status });
      return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() };
    },
    vault: memoryVault(),
    outbox: memoryOutbox(),
    deviceSecret: memoryDeviceSecret(),
    refreshLock: () => Promise.resolve(() => {}),
    signals: () => () => {},
    announce: () => {},
    random: () => 0.5,
    randomToken: () => Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url'),
    sha256: digest,
    signProof: proofSigner(async ({ method, url, nonce, accessToken, atMs }) => {
      const claims = {
        jti: crypto.randomUUID(),
        htm: method,
        htu: url.split('?')[0],
        iat: Math.floor(atMs / 1_000),
        ...(nonce === null ? {} : { nonce }),
        ...(accessToken === null ? {} : { ath: await digest(accessToken) }),
      };
      return new SignJWT(claims).setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk }).sign(privateKey);
    }),
    refreshTokenTransport: 'body',
  };
}

async function startClient(): Promise<AuthService> {
  requests = [];
  const auth = createAuthService({
    issuer: server.issuer,
    clientId: 'app',
    platform: createDevice(await createKeys()),
  });
  await auth.ready();
  await auth.signIn(credential);
  return auth;
}

it('signs in with a proof, having learnt the nonce once; every later request has it', async () => {
  const auth = await startClient();
  expect(requests).toEqual([
    { path: '/authorize-challenge', status: 400 },
    { path: '/authorize-challenge', status: 200 },
    { path: '/token', status: 200 },
  ]);
  auth.dispose();
});

it('refreshes and calls the API with the same key, and the session never rotates', async () => {
  const auth = await startClient();
  const sids = new Set<unknown>();
  for (let call = 0; call < 5; call++) {
    const response = await auth.fetch(`${server.issuer}/api`);
    expect(response.status).toBe(200);
    const claims = (await response.json()) as Readonly<Record<string, unknown>>;
    expect(claims).toMatchObject({ cnf: { jkt: expect.any(String) } });
    sids.add(claims['sid']);
  }
  const { rows } = await server.holdfast.database.query('SELECT generation FROM holdfast.sessions WHERE id = $1', [
    [...sids][0],
  ]);
  expect({ sessions: sids.size, rows }).toEqual({ sessions: 1, rows: [{ generation: 0 }] });
  expect(requests.filter(({ status }) => status >= 400)).toHaveLength(1);
  auth.dispose();
});

it('signs out by its key', async () => {
  const auth = await startClient();
  const response = await auth.fetch(`${server.issuer}/api`);
  const { sid } = (await response.json()) as { readonly sid: string };
  await auth.signOut();
  const query = 'SELECT revoked_reason FROM holdfast.sessions WHERE id = $1';
  // The device is signed out at once; the server is told as soon as it can be.
  await expect
    .poll(async () => (await server.holdfast.database.query(query, [sid])).rows, { timeout: 10_000 })
    .toEqual([{ revoked_reason: 'signed_out' }]);
  expect(requests.filter(({ path }) => path === '/revoke').map(({ status }) => status)).not.toContain(400);
  auth.dispose();
});
