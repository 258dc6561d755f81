// Our client against an authorization server that nobody here wrote: oidc-provider, with refresh token rotation at every
// use, DPoP and required nonces. It forgives nothing: one refresh token sent twice, and the whole grant is gone.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAuthService, memoryOutbox, memoryVault, type AuthService, type Platform } from 'holdfast';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT, type JWK } from 'jose';
import { Provider, type Configuration } from 'oidc-provider';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';

const MINUTE = 60_000;
const startedAt = Date.UTC(2026, 0, 1);

let server: Server;
let provider: Provider;
let url: string;
let tokenRequests = 0;

const configuration: Configuration = {
  clients: [
    {
      client_id: 'app',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      redirect_uris: ['https://app.example/callback'],
      dpop_bound_access_tokens: true,
    },
  ],
  cookies: { keys: ['a key for tests'] },
  findAccount: (_context, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
  rotateRefreshToken: true,
  features: {
    devInteractions: { enabled: false },
    dPoP: { enabled: true, nonceSecret: Buffer.alloc(32, 7), requireNonce: () => true },
  },
  ttl: { AccessToken: 900, RefreshToken: 14 * 86_400, Grant: 14 * 86_400 },
};

beforeAll(async () => {
  // Only the date is simulated, for both sides alike; the network is real.
  vi.useFakeTimers({ toFake: ['Date'], now: startedAt });
  server = createServer((request, response) => {
    if (request.url === '/token') tokenRequests++;
    void provider.callback()(request, response);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  provider = new Provider(url, configuration);
});

afterAll(() => {
  vi.useRealTimers();
  server.closeAllConnections();
  server.close();
});

/** What a sign-in in a browser would have ended in: a refresh token bound to the key. */
async function grantRefreshToken(jkt: string): Promise<string> {
  const client = await provider.Client.find('app');
  if (client === undefined) throw new Error('the client is not registered');
  const grant = new provider.Grant({ accountId: 'ada', clientId: 'app' });
  grant.addOIDCScope('openid offline_access');
  const grantId = await grant.save();
  const refreshToken = new provider.RefreshToken({
    accountId: 'ada',
    client,
    grantId,
    scope: 'openid offline_access',
    gty: 'authorization_code',
  });
  Object.assign(refreshToken, { jkt, rotations: 0, iiat: Math.floor(Date.now() / 1_000) });
  return refreshToken.save();
}

type Keys = { readonly privateKey: CryptoKey; readonly jwk: JWK };

async function createKeys(): Promise<Keys & { readonly jkt: string }> {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const jwk = await exportJWK(publicKey);
  return { privateKey, jwk, jkt: await calculateJwkThumbprint(jwk) };
}

const digest = async (text: string): Promise<string> =>
  Buffer.from(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))).toString('base64url');

/** A device whose clock and alarms move with the simulated date. */
function createDevice({ privateKey, jwk }: Keys): { readonly platform: Platform; readonly ring: () => void } {
  const alarms = new Map<symbol, { readonly at: number; readonly callback: () => void }>();
  const platform: Platform = {
    clock: {
      now: () => ({ wallMs: Date.now(), monotonicMs: Date.now() - startedAt }),
      wake: (delayMs, callback) => {
        const id = Symbol('alarm');
        alarms.set(id, { at: Date.now() + delayMs, callback });
        return () => void alarms.delete(id);
      },
    },
    transport: async (request, signal) => {
      const controller = new AbortController();
      signal.addEventListener('abort', () => controller.abort());
      const { method, headers, body = null } = request;
      const response = await fetch(request.url, { method, headers, body, signal: controller.signal });
      return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() };
    },
    vault: memoryVault(),
    outbox: memoryOutbox(),
    mutex: () => Promise.resolve(() => {}),
    signals: () => () => {},
    announce: () => {},
    random: () => 0.5,
    randomToken: () => crypto.randomUUID(),
    sha256: digest,
    signProof: async (proof) => {
      const claims = {
        jti: crypto.randomUUID(),
        htm: proof.method,
        htu: proof.url.split('?')[0],
        iat: Math.floor(Date.now() / 1_000),
        ...(proof.nonce === null ? {} : { nonce: proof.nonce }),
        ...(proof.accessToken === null ? {} : { ath: await digest(proof.accessToken) }),
      };
      return new SignJWT(claims).setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk }).sign(privateKey);
    },
    delivery: 'body',
  };
  const ring = (): void => {
    for (const [id, alarm] of [...alarms].toSorted((a, b) => a[1].at - b[1].at)) {
      if (alarm.at > Date.now() || !alarms.delete(id)) continue;
      alarm.callback();
    }
  };
  return { platform, ring };
}

const isRefreshing = (auth: AuthService): boolean => {
  const snapshot = auth.getSnapshot();
  return snapshot.status === 'active' && snapshot.refreshing;
};

it('a day of use: no sign-out, no token sent twice, at most one refresh for each life of an access token', async () => {
  const keys = await createKeys();
  const { platform, ring } = createDevice(keys);
  const auth = createAuthService({ issuer: url, clientId: 'app', platform });
  await auth.ready();
  const refreshToken = await grantRefreshToken(keys.jkt);
  await auth.adopt({ access_token: 'none yet', token_type: 'DPoP', expires_in: 0, refresh_token: refreshToken });

  const statuses = new Set<number>();
  for (let minute = 0; minute < 24 * 60; minute += 3) {
    vi.setSystemTime(startedAt + minute * MINUTE);
    ring();
    while (isRefreshing(auth)) await new Promise((resolve) => setImmediate(resolve));
    // A night asleep: nobody asks for anything between midnight and eight.
    if (minute < 8 * 60) continue;
    const responses = await Promise.all(Array.from({ length: 3 }, () => auth.fetch(`${url}/me`)));
    for (const response of responses) {
      statuses.add(response.status);
      expect(await response.json()).toEqual({ sub: 'ada' });
    }
  }

  expect(statuses).toEqual(new Set([200]));
  expect(auth.getSnapshot()).toMatchObject({ status: 'active', freshness: 'verified' });
  // A 15-minute token is refreshed 10 minutes into its life; every change of the nonce costs one request more.
  const lives = (24 * 60) / 10;
  expect(tokenRequests).toBeGreaterThan(lives / 2);
  expect(tokenRequests).toBeLessThan(2 * lives + 10);
  auth.dispose();
});
