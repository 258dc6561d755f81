import { createHash, randomBytes } from 'node:crypto';
import type { IssuedGeneration, ExchangeResult, NewSession, SessionRecord, Store } from '../storage/store.ts';

/** The parts of the storage port that the suite tests. */
export type TestedStore = Pick<Store, 'subjects' | 'sessions' | 'codes' | 'endings'>;

/** A store under test, with the limits of {@link CONTRACT_POLICY}. */
export type StoreUnderTest = {
  readonly store: TestedStore;
  /** Moves every stored time of a session into the past, as if so much time had passed. */
  readonly letTimePass: (sid: string, milliseconds: number) => Promise<void>;
};

/** The policy that the store under test is made with. */
export const CONTRACT_POLICY = {
  maxDeviceChainsPerUser: 3,
  maxSessionsPerDeviceChain: 4,
  signInBurstPerAccount: 12,
  signInIntervalSeconds: 3_600,
} as const;

export const ADDRESS = '192.0.2.1';
export const CAUSE = { reason: 'signed_out', address: ADDRESS } as const;
const DAY_SECONDS = 86_400;

type Evidence = Partial<NewSession['device']>;

type SignIn = {
  readonly sub: string;
  readonly acr?: string;
  readonly clientId?: string;
  readonly device?: Evidence;
};

/** Tuples of sessions by their length. */
type Sessions = {
  readonly 1: readonly [SessionRecord];
  readonly 2: readonly [SessionRecord, SessionRecord];
  readonly 3: readonly [SessionRecord, SessionRecord, SessionRecord];
  readonly 4: readonly [SessionRecord, SessionRecord, SessionRecord, SessionRecord];
};

type Device<Count extends keyof Sessions> = {
  readonly sub: string;
  readonly secretHash: Buffer;
  readonly chain: Sessions[Count];
};

/** Steps of the tests: sign-ins, uses, and a check of which sessions are live. */
export class Bench {
  readonly store: TestedStore;
  constructor(store: TestedStore) {
    this.store = store;
  }

  newSub(): string {
    return `user|${randomBytes(8).toString('hex')}`;
  }

  async issue({ sub, acr = 'aal1', clientId = 'app' }: SignIn): Promise<Buffer> {
    const codeHash = createHash('sha256').update(randomBytes(16)).digest();
    await this.store.codes.insert({
      codeHash,
      clientId,
      sub,
      scope: ['notes'],
      codeChallenge: 'challenge',
      jkt: null,
      amr: ['pwd'],
      acr,
      signInEpoch: await this.store.subjects.epochOf(sub),
    });
    return codeHash;
  }

  exchange(codeHash: Buffer, device: Evidence = {}): Promise<ExchangeResult> {
    return this.store.codes.exchange(codeHash, {
      jkt: null,
      lifetimes: { inactivityTimeoutSeconds: DAY_SECONDS, absoluteLifetimeSeconds: 30 * DAY_SECONDS },
      nonce: randomBytes(12),
      address: ADDRESS,
      userAgent: 'contract',
      device: { secretHash: null, replaces: null, copiesOf: [], ...device },
    });
  }

  async signIn(signIn: SignIn): Promise<SessionRecord> {
    return deliveryOf(await this.exchange(await this.issue(signIn), signIn.device)).record;
  }

  async signInWith(sub: string, device: Evidence): Promise<SessionRecord> {
    return this.signIn({ sub, device });
  }

  /** Creates a new user's device with one chain of unused sessions, oldest first. */
  async chainOf<Count extends keyof Sessions>(count: Count): Promise<Device<Count>> {
    const [sub, secretHash] = [this.newSub(), newSecret()];
    const sessions: SessionRecord[] = [];
    while (sessions.length < count) sessions.push(await this.signInWith(sub, { secretHash }));
    return { sub, secretHash, chain: sessions as unknown as Sessions[Count] };
  }

  /** Uses a session as a refresh that returns only an access token does, and then ends its predecessors. */
  async use({ sid }: SessionRecord): Promise<readonly string[]> {
    const version = { sid, generation: 0, redeliveries: 0 };
    const activity = {
      isUserActive: true,
      inactivityTimeoutSeconds: DAY_SECONDS,
      address: ADDRESS,
      userAgent: 'contract',
    };
    const used = await this.store.sessions.slide(version, activity);
    if (used === null) throw new Error('a session that has ended cannot be used');
    if (!used.hasPredecessors) return [];
    return (await this.store.sessions.endPredecessors(used, ADDRESS)).map((ended) => ended.sid);
  }

  async areAlive(...sessions: readonly SessionRecord[]): Promise<readonly boolean[]> {
    const alive = new Set((await this.store.sessions.findLive(sessions.map(({ sid }) => sid))).map(({ sid }) => sid));
    return sessions.map(({ sid }) => alive.has(sid));
  }
}

function deliveryOf(result: ExchangeResult): IssuedGeneration {
  if (result.kind !== 'exchanged') throw new Error(`refused: ${JSON.stringify(result)}`);
  return result.delivery;
}

export const newSecret = (): Buffer => createHash('sha256').update(randomBytes(32)).digest();

/** Opens the bench of one test. */
export type Open = () => Bench;
