import { generateKeyPairSync } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { createTestIssuer, TOKEN_ISSUER, type TestIssuer } from '../testing/issuer.ts';
import { createKeySet, type KeySet } from './key-set.ts';

const HOUR_MS = 3_600_000;

let issuer: TestIssuer;
let keys: KeySet;
let nowMs: number;

beforeEach(() => {
  issuer = createTestIssuer();
  nowMs = 0;
  keys = createKeySet({ issuer: TOKEN_ISSUER, jwksUri: null, fetch: issuer.fetch, monotonicMs: () => nowMs });
});

const keyFetches = (): number => issuer.fetched.filter((path) => path === '/.well-known/jwks.json').length;
const publish = (kid: string): void => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  issuer.keys.push({ ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' });
};
/** Lets a background refresh finish. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('concurrent requests share one fetch, and later ones need none', async () => {
  const found = await Promise.all(Array.from({ length: 50 }, () => keys.find('current', 'ES256')));
  expect(found.every((key) => key !== null)).toBe(true);
  nowMs = 59_000;
  await keys.find('current', 'ES256');
  expect(issuer.fetched).toEqual(['/.well-known/oauth-authorization-server', '/.well-known/jwks.json']);
});

test('a newly published key is found at once, and unknown ids cannot cause constant fetches', async () => {
  await keys.find('current', 'ES256');
  publish('next');
  nowMs = 5_000;
  expect(await keys.find('next', 'ES256')).not.toBeNull();
  for (let count = 0; count < 100; count++) expect(await keys.find(`made up ${count}`, 'ES256')).toBeNull();
  expect(keyFetches()).toBe(2);
  nowMs = 10_000;
  expect(await keys.find('made up', 'ES256')).toBeNull();
  expect(keyFetches()).toBe(3);
});

test('a withdrawn key expires after its time, and no request waits for the fetch', async () => {
  await keys.find('current', 'ES256');
  issuer.keys.length = 0;
  nowMs = 60_000;
  expect(await keys.find('current', 'ES256')).not.toBeNull();
  await settle();
  expect(await keys.find('current', 'ES256')).toBeNull();
});

describe('while the authorization server does not answer', () => {
  test('known keys stay valid for a day, and fetches keep their minimum interval', async () => {
    await keys.find('current', 'ES256');
    issuer.setReachable(false);
    for (nowMs = HOUR_MS; nowMs < 24 * HOUR_MS; nowMs += HOUR_MS) {
      for (let count = 0; count < 10; count++) expect(await keys.find('current', 'ES256')).not.toBeNull();
      await settle();
    }
    expect(keyFetches()).toBeLessThanOrEqual(24);
    nowMs = 25 * HOUR_MS;
    await expect(keys.find('current', 'ES256')).rejects.toThrow('not answered');
  });

  test('an unknown key decides nothing about its token', async () => {
    await keys.find('current', 'ES256');
    issuer.setReachable(false);
    nowMs = 5_000;
    await expect(keys.find('next', 'ES256')).rejects.toThrow('not answered');
    await expect(keys.find('next', 'ES256')).rejects.toThrow('not answered');
    expect(keyFetches()).toBe(2);
    issuer.setReachable(true);
    publish('next');
    nowMs = 10_000;
    expect(await keys.find('next', 'ES256')).not.toBeNull();
  });
});

test('metadata of another issuer and keys over plain http are refused', async () => {
  const documents: Readonly<Record<string, unknown>>[] = [
    { issuer: 'https://evil.example', jwks_uri: `${TOKEN_ISSUER}/.well-known/jwks.json` },
    { issuer: TOKEN_ISSUER, jwks_uri: 'http://id.example/.well-known/jwks.json' },
    { issuer: TOKEN_ISSUER },
  ];
  for (const document of documents) {
    const set = createKeySet({
      issuer: TOKEN_ISSUER,
      jwksUri: null,
      fetch: async () => Response.json(document),
      monotonicMs: () => 0,
    });
    await expect(set.find('current', 'ES256')).rejects.toThrow('not that of the issuer');
  }
});

test('a response that is no key set, too long or redirected changes nothing', async () => {
  const answers: (() => Promise<Response>)[] = [
    async () => new Response('<html>', { status: 200 }),
    async () => Response.json([]),
    async () => Response.json({ keys: {} }),
    async () => Response.json({ keys: [], padding: 'x'.repeat(70_000) }),
    async () => Response.json({ keys: [] }, { status: 500 }),
    async () => new Response(null, { status: 302, headers: { location: 'https://evil.example/keys' } }),
  ];
  await keys.find('current', 'ES256');
  const jwksUri = `${TOKEN_ISSUER}/jwks`;
  for (const answer of answers) {
    let next: () => Promise<Response> = async () => Response.json({ keys: issuer.keys });
    const set = createKeySet({
      issuer: TOKEN_ISSUER,
      jwksUri,
      fetch: () => next(),
      monotonicMs: () => nowMs,
    });
    nowMs = 0;
    expect(await set.find('current', 'ES256')).not.toBeNull();
    next = answer;
    nowMs = HOUR_MS;
    await set.find('current', 'ES256');
    await settle();
    expect(await set.find('current', 'ES256')).not.toBeNull();
  }
});
