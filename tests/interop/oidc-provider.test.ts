// Our client against an authorization server of other authors: oidc-provider, with DPoP and required nonces. With rotation
// at every use it forgives nothing: one refresh token sent twice, and the whole grant is gone. By its default it rotates tokens
// that are bound to a key only when most of their life has passed.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  adopt,
  createAuthService,
  memoryDeviceSecret,
  memoryOutbox,
  memoryVault,
  proofSigner,
  type AuthService,
  type RefreshLock,
  type Platform,
} from 'holdfast';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT, type JWK } from 'jose';
import { Provider, type Configuration } from 'oidc-provider';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

const MINUTE = 60_000;
const DAY_MINUTES = 24 * 60;
const startedAt = Date.UTC(2_026, 0, 1);

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
  features: {
    devInteractions: { enabled: false },
    dPoP: { enabled: true, nonceSecret: Buffer.alloc(32, 7), requireNonce: () => true },
  },
  ttl: { AccessToken: 900, RefreshToken: 8 * 3_600, Grant: 14 * 86_400 },
};

/** The authorization server, and what it says of itself. */
type AuthorizationServer = {
  readonly provider: Provider;
  readonly url: string;
  /** The refresh tokens that it has accepted, in order. */
  readonly accepted: readonly string[];
  readonly counts: { tokenRequests: number; rotated: number; revoked: number };
  readonly close: () => void;
};

async function startProvider(rules: Configuration): Promise<AuthorizationServer> {
  const counts = { tokenRequests: 0, rotated: 0, revoked: 0 };
  const accepted: string[] = [];
  const server = createServer((request, response) => {
    if (request.url === '/token') counts.tokenRequests++;
    void provider.callback()(request, response);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = new Provider(url, { ...configuration, ...rules });
  provider.on('grant.success', ({ oidc }) => accepted.push(String(oidc.params?.['refresh_token'])));
  provider.on('refresh_token.consumed', () => counts.rotated++);
  provider.on('grant.revoked', () => counts.revoked++);
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  return { provider, url, accepted, counts, close };
}

let server: AuthorizationServer | null = null;
const services: AuthService[] = [];
beforeEach(() => {
  // Only the date is simulated, for both sides alike; the network is real.
  vi.useFakeTimers({ toFake: ['Date'], now: startedAt });
});
afterEach(() => {
  vi.useRealTimers();
  for (const service of services.splice(0)) service.dispose();
  server?.close();
  server = null;
});

/** The result that a sign-in in a browser would have had: tokens bound to the key. */
async function grantTokens({ provider }: AuthorizationServer, jkt: string): Promise<Readonly<Record<string, unknown>>> {
  const client = await provider.Client.find('app');
  if (client === undefined) throw new Error('the client is not registered');
  const grant = new provider.Grant({ accountId: 'ada', clientId: 'app' });
  grant.addOIDCScope('openid offline_access');
  const grantId = await grant.save();
  const common = { accountId: 'ada', client, grantId, scope: 'openid offline_access', gty: 'authorization_code' };
  const refreshToken = new provider.RefreshToken(common);
  Object.assign(refreshToken, { jkt, rotations: 0, iiat: Math.floor(Date.now() / 1_000) });
  const accessToken = Object.assign(new provider.AccessToken(common), { jkt });
  return {
    access_token: await accessToken.save(),
    token_type: 'DPoP',
    expires_in: 900,
    refresh_token: await refreshToken.save(),
    sub: 'ada',
  };
}

type Keys = { readonly privateKey: CryptoKey; readonly jwk: JWK };

async function createKeys(): Promise<Keys & { readonly jkt: string }> {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const jwk = await exportJWK(publicKey);
  return { privateKey, jwk, jkt: await calculateJwkThumbprint(jwk) };
}

const digest = async (text: string): Promise<string> =>
  Buffer.from(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))).toString('base64url');

/** The network does this to a token request: it never arrives, or its answer does not; or that only if no new token is in it. */
type Mishap = 'request lost' | 'answer lost' | 'answer lost unless it rotates' | null;

/** Processes of one device: they share a vault, a lock and a key, and time moves for all of them with the simulated date. */
type Device = { readonly platform: () => Platform; readonly ring: () => void };

/** One at a time; no caller here waits for longer than an answer takes. */
function createRefreshLock(): RefreshLock {
  let tail = Promise.resolve();
  return () =>
    new Promise((resolve) => {
      tail = tail.then(() => new Promise<void>((release) => resolve(release)));
    });
}

/** `meet`: what becomes of each token request, by its number. */
function createDevice({ privateKey, jwk }: Keys, meet: (request: number) => Mishap): Device {
  const alarms = new Map<symbol, { readonly at: number; readonly callback: () => void }>();
  let requests = 0;
  const shared: Platform = {
    clock: {
      now: () => ({ wallMs: Date.now(), monotonicMs: Date.now() - startedAt }),
      wake: (delayMs, callback) => {
        const id = Symbol('alarm');
        alarms.set(id, { at: Date.now() + delayMs, callback });
        return () => void alarms.delete(id);
      },
    },
    transport: async (request, signal) => {
      const mishap = meet(++requests);
      if (mishap === 'request lost') throw new TypeError('fetch failed');
      const controller = new AbortController();
      signal.addEventListener('abort', () => controller.abort());
      const { method, headers, body = null } = request;
      const response = await fetch(request.url, { method, headers, body, signal: controller.signal });
      const text = await response.text();
      const isRotated = !text.includes(new URLSearchParams(request.body).get('refresh_token') ?? '');
      // A challenge for a nonce is no use of the token: it is the answer after it that counts.
      const isLost = mishap === 'answer lost' || (mishap === 'answer lost unless it rotates' && !isRotated);
      if (isLost && response.ok) throw new TypeError('fetch failed');
      return { status: response.status, headers: Object.fromEntries(response.headers), body: text };
    },
    vault: memoryVault(),
    outbox: memoryOutbox(),
    deviceSecret: memoryDeviceSecret(),
    refreshLock: createRefreshLock(),
    signals: () => () => {},
    announce: () => {},
    random: () => 0.5,
    randomToken: () => crypto.randomUUID(),
    sha256: digest,
    signProof: proofSigner(async (proof) => {
      const claims = {
        jti: crypto.randomUUID(),
        htm: proof.method,
        htu: proof.url.split('?')[0],
        iat: Math.floor(proof.atMs / 1_000),
        ...(proof.nonce === null ? {} : { nonce: proof.nonce }),
        ...(proof.accessToken === null ? {} : { ath: await digest(proof.accessToken) }),
      };
      return new SignJWT(claims).setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk }).sign(privateKey);
    }),
    refreshTokenTransport: 'body',
  };
  const ring = (): void => {
    for (const [id, alarm] of [...alarms].toSorted((a, b) => a[1].at - b[1].at)) {
      if (alarm.at > Date.now() || !alarms.delete(id)) continue;
      alarm.callback();
    }
  };
  return { platform: () => ({ ...shared }), ring };
}

const isRefreshing = (auth: AuthService): boolean => {
  const snapshot = auth.getSnapshot();
  return snapshot.status === 'active' && snapshot.isRefreshing;
};

type Processes = {
  readonly processes: readonly [AuthService, AuthService];
  readonly ring: () => void;
  /** The user signs in, in the first one. */
  readonly signIn: () => Promise<void>;
};

/** Two processes, the first of which has signed in. */
async function startProcesses(meet: (request: number) => Mishap): Promise<Processes> {
  if (!server) throw new Error('there is no server');
  const keys = await createKeys();
  const { platform, ring } = createDevice(keys, meet);
  const open = async (issuer: string): Promise<AuthService> => {
    const auth = createAuthService({ issuer, clientId: 'app', platform: platform() });
    services.push(auth);
    await auth.ready();
    return auth;
  };
  const { url } = server;
  const granting = server;
  const first = await open(url);
  const signIn = async (): Promise<void> => adopt(first, await grantTokens(granting, keys.jkt));
  await signIn();
  const running: Processes = { processes: [first, await open(url)], ring, signIn };
  await passTo(0, running);
  return running;
}

/** Lets the clocks reach that minute, and everything settle that is due by then. */
async function passTo(minute: number, { processes, ring }: Processes): Promise<void> {
  vi.setSystemTime(startedAt + minute * MINUTE);
  ring();
  while (processes.some(isRefreshing)) await new Promise((resolve) => setImmediate(resolve));
}

/** A day: asleep until eight, then each process asks its API every few minutes. Answers the statuses that were seen. */
async function playDay(running: Processes, everyMinutes: number): Promise<ReadonlySet<number>> {
  const statuses = new Set<number>();
  for (let minute = 0; minute < DAY_MINUTES; minute += everyMinutes) {
    await passTo(minute, running);
    if (minute < 8 * 60) continue;
    const asked = running.processes.map((auth) => auth.fetch(`${server?.url}/me`));
    // Where a request waits for another try of a refresh, time has to go on.
    const progress = { isDone: false };
    const answers = Promise.all(asked).finally(() => (progress.isDone = true));
    for (let second = 1; !progress.isDone && second < 120; second++) {
      for (let turn = 0; turn < 20 && !progress.isDone; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
      if (!progress.isDone) await passTo(minute + second / 60, running);
    }
    for (const response of await answers) {
      statuses.add(response.status);
      expect(await response.json()).toEqual({ sub: 'ada' });
    }
  }
  return statuses;
}

// A 15-minute token is refreshed 10 minutes into its life.
const LIVES = DAY_MINUTES / 10;

it('a day of two processes, some requests lost: every token is used once, each rotates, one refresh for each life of an access token', async () => {
  server = await startProvider({ rotateRefreshToken: true });
  const running = await startProcesses((request) => (request % 25 === 0 ? 'request lost' : null));
  expect(await playDay(running, 3)).toEqual(new Set([200]));

  for (const auth of running.processes) expect(auth.getSnapshot()).toMatchObject({ status: 'active' });
  const { accepted, counts } = server;
  expect(new Set(accepted).size).toBe(accepted.length);
  expect(counts).toMatchObject({ rotated: accepted.length, revoked: 0 });
  expect(accepted.length).toBeGreaterThan(LIVES / 2);
  expect(accepted.length).toBeLessThanOrEqual(LIVES + 1);
  // Every change of the nonce costs one request more.
  expect(counts.tokenRequests).toBeLessThan(2 * LIVES + 10);
});

it('a day of lost answers, where tokens rotate late in their life as is its default: no user is signed out', async () => {
  server = await startProvider({});
  const { counts, accepted } = server;
  // The one answer that must not be lost is the one that rotates: see below.
  const running = await startProcesses((request) => (request % 5 === 0 ? 'answer lost unless it rotates' : null));
  expect(await playDay(running, 5)).toEqual(new Set([200]));
  for (const auth of running.processes) expect(auth.getSnapshot()).toMatchObject({ status: 'active' });
  expect(counts.revoked).toBe(0);
  // Tokens were used many times, those of lost answers among them, and still rotated three times.
  expect(counts.rotated).toBeGreaterThan(2);
  expect(new Set(accepted).size).toBe(counts.rotated + 1);
});

it('the answer that rotated is lost: by its rules the grant is over, and one sign-in later the parked request is sent', async () => {
  server = await startProvider({ rotateRefreshToken: true });
  const { url, counts } = server;
  let isLosing = false;
  const running = await startProcesses(() => (isLosing ? 'answer lost' : null));
  const { processes } = running;
  isLosing = true;
  await passTo(14, running);
  isLosing = false;
  await passTo(20, running);
  expect(counts.revoked).toBe(1);
  for (const auth of processes)
    expect(auth.getSnapshot()).toMatchObject({ status: 'reauthentication-required', reason: 'revoked' });
  const parked = processes[0].fetch(`${url}/me`);
  await running.signIn();
  await passTo(21, running);
  expect(await (await parked).json()).toEqual({ sub: 'ada' });
});
