import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose';
import { describe, expect, test } from 'vitest';
import { createKeyRing } from '../kernel/key-ring.ts';
import { DEFAULT_POLICY } from '../kernel/policy.ts';
import type { SessionRecord } from '../storage/store.ts';
import { signingKeyStore, type TestSigningKeyStore } from '../testing/signing-key-store.ts';
import { createAccessTokens, type AccessTokens } from '../tokens/access-token.ts';
import { planKeys, rolesAt } from './signing-key-schedule.ts';
import { loadSigningKeys, rotateSigningKeys, statusOf, type SigningKeys } from './signing-keys.ts';

const ISSUER = 'https://id.example';
const SECRET = 'a master secret for tests, 32 bytes or more';
const DAY_MS = 86_400_000;
const policy = { ...DEFAULT_POLICY, signingKeyLifetimeSeconds: 30 * 86_400, signingKeyLeadSeconds: 86_400 };
const keyRing = createKeyRing(SECRET);

const SESSION: SessionRecord = {
  sid: '00000000-0000-4000-8000-000000000001',
  sub: '00000000-0000-4000-8000-000000000002',
  clientId: 'app',
  scope: ['notes'],
  amr: ['pwd'],
  acr: 'aal1',
  authTimeSeconds: 1_800_000_000,
  jkt: null,
  generation: 0,
  rotatedBy: null,
  deliveredAtMs: 1_800_000_000_000,
  redeliveries: 0,
  idleExpiresAtMs: 1_900_000_000_000,
  expiresAtMs: 1_900_000_000_000,
  lastUsedAtMs: null,
  revokedReason: null,
  deviceId: '00000000-0000-4000-8000-0000000000dd',
  deviceSequence: 1,
  hasPredecessors: false,
  replaces: null,
  nowMs: 1_800_000_000_000,
};

type Node = {
  readonly keys: SigningKeys;
  readonly tokens: AccessTokens;
};

/** A node whose clock is the store's. */
async function startNode(store: TestSigningKeyStore, overrides: Partial<typeof policy> = {}): Promise<Node> {
  const ofNode = { ...policy, ...overrides };
  const keys = await loadSigningKeys({ store, keyRing, policy: ofNode, monotonicMs: () => store.nowMs });
  const now = (): number => store.nowMs;
  return {
    keys,
    tokens: createAccessTokens({ issuer: ISSUER, audience: ISSUER, signingKeys: keys, policy: ofNode, now }),
  };
}

function roles(store: TestSigningKeyStore): readonly string[] {
  return statusOf({ keys: store.keys, nowMs: store.nowMs }).map(({ role }) => role);
}

/** A resource server that fetched the key set once and caches it. */
function isAccepted(accessToken: string, jwks: ReturnType<SigningKeys['jwks']>, nowMs: number): Promise<boolean> {
  return jwtVerify(accessToken, createLocalJWKSet(jwks as JSONWebKeySet), {
    issuer: ISSUER,
    audience: ISSUER,
    typ: 'at+jwt',
    currentDate: new Date(nowMs),
  }).then(
    () => true,
    () => false,
  );
}

describe('the schedule', () => {
  test('a key is published a day before it signs, and stays until the last token that it signed has expired', async () => {
    const store = signingKeyStore();
    const node = await startNode(store);
    const first = node.keys.current().kid;
    store.nowMs += 29 * DAY_MS - 1;
    await node.keys.maintain();
    expect(roles(store)).toEqual(['signing']);
    store.nowMs += 1;
    await node.keys.maintain();
    expect(roles(store)).toEqual(['signing', 'next']);
    expect(node.keys.current().kid).toBe(first);
    store.nowMs += DAY_MS;
    expect(node.keys.current().kid).not.toBe(first);
    await node.keys.maintain();
    expect(roles(store)).toEqual(['previous', 'signing']);
    store.nowMs += 900_000 + 5_000 + 120_000;
    await node.keys.maintain();
    expect(roles(store)).toEqual(['signing']);
  });

  test('for four months no resource server that fetched the keys in the last 12 hours refuses a node’s token', async () => {
    const store = signingKeyStore();
    const [one, two] = [await startNode(store), await startNode(store)];
    const kids = new Set<string>();
    let keysOf12HoursAgo = one.keys.jwks();
    for (let halfDay = 0; halfDay < 240; halfDay++) {
      for (const node of [one, two]) {
        const { accessToken } = node.tokens.prepare().issue(SESSION, []);
        expect(await isAccepted(accessToken, keysOf12HoursAgo, store.nowMs)).toBe(true);
        expect((await one.tokens.verify(`Bearer ${accessToken}`)).ok).toBe(true);
        kids.add(node.keys.current().kid);
      }
      expect(two.keys.current().kid).toBe(one.keys.current().kid);
      keysOf12HoursAgo = one.keys.jwks();
      store.nowMs += DAY_MS / 2;
      await Promise.all([one.keys.maintain(), two.keys.maintain()]);
    }
    expect(kids.size).toBe(4);
  });

  test('a node that cannot read the keys for a while still changes over with the others', async () => {
    const store = signingKeyStore();
    const [cutOff, other] = [await startNode(store), await startNode(store)];
    store.nowMs += 29 * DAY_MS;
    await Promise.all([cutOff.keys.maintain(), other.keys.maintain()]);
    store.nowMs += DAY_MS;
    await other.keys.maintain();
    expect(cutOff.keys.current().kid).toBe(other.keys.current().kid);
    expect(cutOff.keys.ageMs()).toBe(DAY_MS);
  });

  test('a key that is overdue because every node was off is still published for the full lead', () => {
    const keys = [{ kid: 'old', algorithm: 'ES256', signsFromMs: 0 }];
    const nowMs = 100 * DAY_MS;
    expect(planKeys(keys, nowMs, policy)).toEqual({ publishToSignFromMs: nowMs + DAY_MS, remove: [] });
    expect(rolesAt(keys, nowMs).get('old')).toBe('signing');
  });
});

describe('on demand', () => {
  test('publishes the next key at once, once', async () => {
    const store = signingKeyStore();
    await startNode(store);
    await rotateSigningKeys({ store, keyRing, policy });
    const status = await rotateSigningKeys({ store, keyRing, policy });
    expect(status.map(({ role }) => role)).toEqual(['signing', 'next']);
    expect(status[1]?.signsFromMs).toBe(store.nowMs + DAY_MS);
  });

  test('a compromised key is refused, and a new one signs, as soon as a node reads the keys', async () => {
    const store = signingKeyStore();
    const node = await startNode(store);
    const { accessToken } = node.tokens.prepare().issue(SESSION, []);
    await rotateSigningKeys({ store, keyRing, policy }, { isCompromised: true });
    await node.keys.maintain();
    expect((await node.tokens.verify(`Bearer ${accessToken}`)).ok).toBe(false);
    expect((await node.tokens.verify(`Bearer ${node.tokens.prepare().issue(SESSION, []).accessToken}`)).ok).toBe(true);
    expect(node.keys.jwks().keys).toHaveLength(1);
  });
});

test.each(['ES256', 'EdDSA', 'RS256'] as const)('%s tokens verify by the published keys', async (signingAlgorithm) => {
  const store = signingKeyStore();
  const node = await startNode(store, { signingAlgorithm });
  const { accessToken } = node.tokens.prepare().issue(SESSION, []);
  expect(await isAccepted(accessToken, node.keys.jwks(), store.nowMs)).toBe(true);
  expect((await node.tokens.verify(`Bearer ${accessToken}`)).ok).toBe(true);
});

test('a change of algorithm takes effect like a rotation', async () => {
  const store = signingKeyStore();
  await startNode(store);
  const node = await startNode(store, { signingAlgorithm: 'EdDSA' });
  expect(node.keys.current().algorithm).toBe('ES256');
  store.nowMs += DAY_MS;
  expect(node.keys.current().algorithm).toBe('EdDSA');
});

test('a key of another node is found, and strangers cannot make a node read the database all the time', async () => {
  const store = signingKeyStore();
  const here = await startNode(store);
  await rotateSigningKeys({ store, keyRing, policy });
  const kid = store.keys[1]?.kid ?? '';
  const listsAtStart = store.lists;
  expect(await here.keys.find(kid)).toBeNull();
  store.nowMs += 5_000;
  expect(await here.keys.find(kid)).not.toBeNull();
  for (let attempt = 0; attempt < 100; attempt++) expect(await here.keys.find(`made-up-${attempt}`)).toBeNull();
  expect(store.lists - listsAtStart).toBe(1);
});

test('tokens of a new key that arrive together are all verified: one look-up serves them', async () => {
  const store = signingKeyStore();
  const here = await startNode(store);
  await rotateSigningKeys({ store, keyRing, policy });
  const kid = store.keys[1]?.kid ?? '';
  const listsAtStart = store.lists;
  store.nowMs += 5_000;
  const found = await Promise.all(Array.from({ length: 10 }, () => here.keys.find(kid)));
  expect(found.filter((key) => key === null)).toEqual([]);
  expect(store.lists - listsAtStart).toBe(1);
});
