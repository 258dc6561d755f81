import { HoldfastError } from '../../../client/src/core/errors.ts';
import { withoutRevocation, withRevocation } from '../../../client/src/core/outbox.ts';
import type {
  Outbox,
  Platform,
  PendingRevocation,
  StoredSession,
  Vault,
  VaultRecord,
} from '../../../client/src/core/ports.ts';
import { markedVault, type Marker } from '../../../client/src/platform/marked-vault.ts';
import { createOverlapping, type Overlapping } from '../sandbox/overlapping.ts';
import { runTask, type Ground, type Process } from '../sandbox/process.ts';
import type { StoreKind } from '../sandbox/setup.ts';
import { readRefreshCopy } from './refresh-copy.ts';

/** Reports store operations to the code that aims faults at them. */
export type StorageWatch = {
  /** A read was done, and the process has not received the result yet. */
  readonly onRead: (process: Process) => void;
  /** A write is about to start. */
  readonly onWriting: (process: Process) => void;
  /** The store was emptied, damaged or has forgotten a write: the device has lost what it knew of its session. */
  readonly onLost: () => void;
};

/** All storage of a device: the vault that its tabs share, the outbox, the device secret, and the browser's cookies. */
export type Storage = {
  vaultOf(process: Process): Vault;
  outboxOf(process: Process): Outbox;
  deviceSecretOf(process: Process): Platform['deviceSecret'];
  /** The `Cookie` header of a request that is sent now; `null` without cookies. */
  cookies(): string | null;
  setCookies(fields: readonly string[]): void;
  /** The refresh token that a thief can copy, from a cookie or from the record; `null` if there is none. */
  stealable(): { readonly kind: 'cookie' | 'token'; readonly value: string } | null;
  record(): VaultRecord | null;
  /** The stored session that a tab can use; `null` if its cookie is gone. */
  session(): StoredSession | null;
  /**
   * The `sid` of a session that only its cookie still proves, so a tab must find it by that cookie; `null`: there is
   * none.
   */
  findable(): string | null;
  /** Times of the last write of the record, and of the write that stored its present session, in ms of the world. */
  writtenAtMs(): number;
  heldSinceMs(): number;
  /**
   * The time at which this session's user left this device, in ms of the world; `null`: the user is still signed in
   * here, or never was.
   */
  goneSinceMs(sid: string): number | null;
  /** The store was emptied or damaged after its last write, so it tells no process who was signed out. */
  isLost(): boolean;
  /** When the store last refused an operation, in ms of the world; now, if it is locked or refuses. */
  refusedMs(): number;
  /** Locks the store. @returns a function that ends this lock */
  lock(): () => void;
  /** Ends every lock. */
  unlock(): void;
  /** Since when the store refuses every operation, in ms of the world; `null`: it does not. */
  refusesSinceMs(): number | null;
  /** Lets the store refuse every operation. @returns a function that mends it, unless another fault goes on */
  refuse(): () => void;
  /** Ends every refusal. */
  mend(): void;
  wipe(): void;
  /** Makes the record unreadable, as a partly restored profile or a lost key does. @returns false if there is none */
  damage(): boolean;
  /**
   * Undoes the writes of the last seconds: the browser died before they reached the disk.
   *
   * @param isTooFar true for a refresh token that is so old that the protocol does not promise to survive a fallback to
   * it
   */
  forgetLast(isTooFar: (token: string) => boolean): void;
};

type Kept = {
  record: VaultRecord | null;
  recordBefore: VaultRecord | null;
  recordAtMs: number;
  heldSinceMs: number;
  /** Every session that was ever written, by `sid`: its user, and when that user left. */
  readonly written: Map<string, { readonly sub: string | null; goneSinceMs: number | null }>;
  refusedMs: number;
  refusesSinceMs: number | null;
  jar: ReadonlyMap<string, string>;
  /** The marker cookie, which names the session. */
  marker: string | null;
  jarBefore: ReadonlyMap<string, string>;
  jarAtMs: number;
  outbox: readonly PendingRevocation[];
  deviceSecret: string | null;
  readonly locks: Overlapping;
  readonly refusals: Overlapping;
};

/**
 * How long a write may stay in the browser's memory only, in ms. It is less than the rotation interval, so at most one
 * rotation is lost.
 */
const UNWRITTEN_MS = 5_000;

type Parts = Ground & {
  readonly kept: Kept;
  readonly watch: StorageWatch;
  /** Draws the versions of a keychain. */
  readonly versions: Ground['random'];
};

export function createStorage(ground: Ground, watch: StorageWatch): Storage {
  const kept: Kept = {
    record: null,
    recordBefore: null,
    recordAtMs: -Infinity,
    heldSinceMs: -Infinity,
    written: new Map(),
    refusedMs: -Infinity,
    refusesSinceMs: null,
    jar: new Map(),
    marker: null,
    jarBefore: new Map(),
    jarAtMs: -Infinity,
    outbox: [],
    deviceSecret: null,
    locks: createOverlapping(() => {
      kept.refusedMs = ground.scheduler.nowMs();
    }),
    refusals: createOverlapping(() => {
      kept.refusedMs = ground.scheduler.nowMs();
      kept.refusesSinceMs = null;
    }),
  };
  const parts: Parts = { ...ground, kept, watch, versions: ground.random.fork('versions') };
  return {
    vaultOf: (process) =>
      ground.setup.store === 'cookie' ? markedVault(vaultOf(parts, process), markerOf(kept)) : vaultOf(parts, process),
    outboxOf: (process) => outboxOf(parts, process),
    deviceSecretOf: (process) => deviceSecretOf(parts, process),
    cookies: () => (kept.jar.size === 0 ? null : [...kept.jar].map(([name, value]) => `${name}=${value}`).join('; ')),
    setCookies: (fields) => setCookies(parts, fields),
    stealable: () => {
      const [cookie] = [...kept.jar].toReversed();
      if (cookie) return { kind: 'cookie', value: cookie[1] };
      const token = kept.record?.session?.refreshToken;
      return token ? { kind: 'token', value: token } : null;
    },
    record: () => kept.record,
    session: () => usableSession(kept, ground.setup.store),
    findable: () => {
      return isLost(kept) && kept.marker !== null && hasCookieOf(kept, kept.marker) ? kept.marker : null;
    },
    writtenAtMs: () => kept.recordAtMs,
    heldSinceMs: () => kept.heldSinceMs,
    isLost: () => isLost(kept),
    goneSinceMs: (sid) => kept.written.get(sid)?.goneSinceMs ?? null,
    ...refusing(kept, ground),
    wipe: () => {
      kept.record = null;
      kept.outbox = [];
      kept.deviceSecret = null;
      // Cookies may survive when script storage is emptied.
      if (ground.random.chance(0.5)) {
        kept.jar = new Map();
        kept.marker = null;
      }
      watch.onLost();
    },
    damage: () => {
      if (!kept.record) return false;
      kept.record = { version: kept.record.version, session: null, endedReason: 'storage-lost', sid: null };
      watch.onLost();
      return true;
    },
    forgetLast: (isTooFar) => forgetLast(parts, isTooFar),
  };
}

const isLost = ({ record }: Kept): boolean => record === null || record.sid !== undefined;

/** Locks and unlocks the store, or makes it refuse every operation until it is mended. */
const refusing = (
  kept: Kept,
  { scheduler }: Ground,
): Pick<Storage, 'refusedMs' | 'lock' | 'unlock' | 'refusesSinceMs' | 'refuse' | 'mend'> => ({
  refusedMs: () => (kept.locks.isAny() || kept.refusesSinceMs !== null ? scheduler.nowMs() : kept.refusedMs),
  lock: kept.locks.begin,
  unlock: kept.locks.endAll,
  refusesSinceMs: () => kept.refusesSinceMs,
  refuse: () => {
    kept.refusesSinceMs ??= scheduler.nowMs();
    return kept.refusals.begin();
  },
  mend: kept.refusals.endAll,
});

/** Undoes the last writes, because the browser died before they reached the disk. */
function forgetLast({ kept, scheduler, watch }: Parts, isTooFar: (token: string) => boolean): void {
  const nowMs = scheduler.nowMs();
  const token = kept.recordBefore?.session?.refreshToken ?? null;
  const mayLoseRecord = token === null || !isTooFar(token);
  if (nowMs - kept.recordAtMs < UNWRITTEN_MS && mayLoseRecord) {
    kept.record = kept.recordBefore;
    // The device no longer knows that this user has left.
    const back = kept.written.get(kept.record?.session?.sid ?? '');
    if (back) back.goneSinceMs = null;
  }
  const mayLoseJar = ![...kept.jarBefore.values()].some(isTooFar);
  if (nowMs - kept.jarAtMs < UNWRITTEN_MS && mayLoseJar) kept.jar = kept.jarBefore;
  watch.onLost();
}

function usableSession({ record, jar }: Kept, store: StoreKind): StoredSession | null {
  const session = record?.session ?? null;
  if (store !== 'cookie' || session === null) return session;
  return hasCookieOf({ jar }, session.sid) ? session : null;
}

const hasCookieOf = ({ jar }: Pick<Kept, 'jar'>, sid: string | null): boolean =>
  [...jar.values()].some((token) => readRefreshCopy(token).sid === sid);

const markerOf = (kept: Kept): Marker => ({ get: () => kept.marker, set: (sid) => void (kept.marker = sid) });

/**
 * Runs one operation of the store: sometimes slow, refused while the store is locked, and done even if the process has
 * frozen meanwhile.
 */
function operate<Result>(
  { kept, scheduler, random, setup }: Parts,
  process: Process,
  failProbability: number,
  work: (finish: (result: Result) => void) => void,
): Promise<Result> {
  const isSlow = random.chance(setup.faults.vaultSlow);
  const isFailing = random.chance(failProbability);
  const isDoneForTheDead = random.chance(0.5);
  return new Promise((resolve, reject) => {
    scheduler.after(isSlow ? random.int(500, 8_000) : random.int(1, 8), () => {
      if (!process.isAlive && !isDoneForTheDead) return;
      if (kept.refusesSinceMs !== null) return runTask(process, () => reject(refusalOf(setup.store)));
      if (kept.locks.isAny() || isFailing) return runTask(process, () => reject(new Error('the store cannot be used')));
      work((result) => runTask(process, () => resolve(result)));
    });
  });
}

/** The error of a store that only a person can mend. A browser that has lost its database reports an ordinary error. */
const refusalOf = (store: StoreKind): Error =>
  store === 'cookie'
    ? new Error('Connection to Indexed Database server lost')
    : new HoldfastError('storage-unavailable', 'the store belongs to another user', { isRetryable: false });

const seal = ({ scheduler, random }: Parts, process: Process): Promise<void> =>
  new Promise((resolve) => {
    scheduler.after(random.int(0, 2), () => runTask(process, resolve));
  });

function writeRecord({ kept, scheduler }: Parts, next: Omit<VaultRecord, 'version'>, version: number): VaultRecord {
  kept.recordBefore = kept.record;
  kept.recordAtMs = scheduler.nowMs();
  if (kept.record?.session?.sid !== next.session?.sid) kept.heldSinceMs = scheduler.nowMs();
  kept.record = { ...next, version };
  noteUser(kept, next, scheduler.nowMs());
  return kept.record;
}

/** Notes which users have left: a tombstone by the user, or another user's session, ends every earlier user's stay. */
function noteUser({ written }: Kept, { session, endedReason }: Omit<VaultRecord, 'version'>, nowMs: number): void {
  if (session === null && endedReason !== 'user') return;
  for (const each of written.values())
    if (session === null || each.sub !== session.sub) each.goneSinceMs ??= nowMs;
    else each.goneSinceMs = null;
  if (session?.sid) written.set(session.sid, { sub: session.sub, goneSinceMs: null });
}

function vaultOf(parts: Parts, process: Process): Vault {
  const { kept, scheduler, random, setup, watch, versions } = parts;
  return {
    read: () =>
      operate<VaultRecord | null>(parts, process, 0, (finish) => {
        const { record } = kept;
        watch.onRead(process);
        finish(record);
      }),
    compareAndSwap: async (expectedVersion, next) => {
      watch.onWriting(process);
      // A vault seals the record before it writes, and a tab can freeze between the two. A keychain does both in one
      // task.
      if (setup.store === 'vault') await seal(parts, process);
      return operate(parts, process, setup.faults.vaultFull, (finish) => {
        const version = kept.record?.version ?? 0;
        if (expectedVersion !== null && expectedVersion !== version)
          return finish({ isSwapped: false, record: kept.record });
        // An emptied store starts again with a version that no tab remembers.
        const first = kept.record ? version + 1 : scheduler.nowMs();
        // Two processes that write a keychain at once choose different versions.
        const following = setup.store === 'keychain' ? first + versions.int(0, 2 ** 20) : first;
        const write = (): void => {
          // If another process has signed in between compare and swap, the store loses that session.
          const isOverwritten =
            (kept.record?.version ?? 0) !== version && kept.record?.session?.sid !== next.session?.sid;
          finish({ isSwapped: true, record: writeRecord(parts, next, following) });
          if (isOverwritten) watch.onLost();
        };
        // A keychain has no compare-and-swap: another process can write between the two.
        if (setup.store === 'keychain') scheduler.after(random.int(0, 3), write);
        else write();
      });
    },
  };
}

function outboxOf(parts: Parts, process: Process): Outbox {
  const { kept } = parts;
  const change = (next: () => readonly PendingRevocation[]): Promise<void> =>
    operate<void>(parts, process, parts.setup.faults.vaultFull, (finish) => {
      kept.outbox = next();
      finish();
    });
  return {
    list: () => operate<readonly PendingRevocation[]>(parts, process, 0, (finish) => finish(kept.outbox)),
    add: (revocation) => change(() => withRevocation(kept.outbox, revocation)),
    remove: (revocation) => change(() => withoutRevocation(kept.outbox, revocation)),
  };
}

function deviceSecretOf(parts: Parts, process: Process): Platform['deviceSecret'] {
  const { kept } = parts;
  return (candidate) =>
    operate<string>(parts, process, parts.setup.faults.vaultFull, (finish) => {
      kept.deviceSecret ??= candidate;
      finish(kept.deviceSecret);
    });
}

/** Stores the cookies of `Set-Cookie` fields; the newest cookie is last. */
function setCookies({ kept, scheduler }: Parts, fields: readonly string[]): void {
  const jar = new Map(kept.jar);
  for (const field of fields) {
    const [pair = '', ...attributes] = field.split('; ');
    const at = pair.indexOf('=');
    const name = pair.slice(0, at);
    jar.delete(name);
    if (!attributes.includes('Max-Age=0')) jar.set(name, pair.slice(at + 1));
  }
  kept.jarBefore = kept.jar;
  kept.jarAtMs = scheduler.nowMs();
  kept.jar = jar;
}
