import { HoldfastError } from '../../../client/src/core/errors.ts';
import { withoutRevocation, withRevocation } from '../../../client/src/core/outbox.ts';
import type {
  Outbox,
  Platform,
  Revocation,
  StoredSession,
  Vault,
  VaultRecord,
} from '../../../client/src/core/ports.ts';
import { markedVault, type Marker } from '../../../client/src/platform/marked-vault.ts';
import { runTask, type Ground, type Process } from '../sandbox/process.ts';
import type { StoreKind } from '../sandbox/setup.ts';
import { readRefreshCopy } from './refresh-copy.ts';

/** What the store tells whoever aims at it. */
export type StorageWatch = {
  /** A read was done; the process has not heard of it. */
  readonly onRead: (process: Process) => void;
  /** A write is about to be done. */
  readonly onWriting: (process: Process) => void;
  /** An emptied or forgetful store: what the device knew of its session is gone. */
  readonly onLost: () => void;
};

/** Everything that a device keeps: the vault that its tabs share, the outbox, and the browser's cookies. */
export type Storage = {
  vaultOf(process: Process): Vault;
  outboxOf(process: Process): Outbox;
  deviceSecretOf(process: Process): Platform['deviceSecret'];
  /** The `cookie` header of a request that is sent now; `null` without cookies. */
  cookies(): string | null;
  setCookies(fields: readonly string[]): void;
  /** What a thief finds: the refresh token of the session, wherever it is kept. */
  stealable(): { readonly kind: 'cookie' | 'token'; readonly value: string } | null;
  record(): VaultRecord | null;
  /** The session that a tab can use; none if its cookie is gone. */
  session(): StoredSession | null;
  /** The session that a tab must find by its cookie, for nothing else is left of it; `null`: there is none. */
  findable(): string | null;
  /** When the record was written last, and since when it holds the session that it holds, in ms of the world. */
  writtenAtMs(): number;
  heldSinceMs(): number;
  /** Since when this session's user is not signed in here any more, though the store held the session; `null`: still is, or never was. */
  goneSinceMs(sid: string): number | null;
  /** When the store was last refused to anybody, in ms of the world. */
  refusedMs(): number;
  lock(): void;
  unlock(): void;
  /** Since when the store refuses whatever is asked of it, in ms of the world; `null`: it does not. */
  refusesSinceMs(): number | null;
  refuse(): void;
  mend(): void;
  wipe(): void;
  /** The record is there, and nobody can open it any more: half a profile, a key that is gone. */
  damage(): void;
  /**
   * The browser has died: writes of the last seconds were never on disk.
   *
   * @param isTooFar whether a copy is so old that falling back to it is beyond what the protocol promises to survive
   */
  forgetLast(isTooFar: (token: string) => boolean): void;
};

type Kept = {
  record: VaultRecord | null;
  recordBefore: VaultRecord | null;
  recordAtMs: number;
  heldSinceMs: number;
  /** Every session that was ever written, whose it is, and since when that user is gone. */
  readonly written: Map<string, { readonly sub: string | null; goneSinceMs: number | null }>;
  refusedMs: number;
  refusesSinceMs: number | null;
  jar: ReadonlyMap<string, string>;
  /** The cookie of the page's own that names the session. */
  marker: string | null;
  jarBefore: ReadonlyMap<string, string>;
  jarAtMs: number;
  outbox: readonly Revocation[];
  deviceSecret: string | null;
  isLocked: boolean;
};

/** How long a write may be in the browser's memory only. Less than the rotation interval: at most one is forgotten. */
const UNWRITTEN_MS = 5_000;

type Parts = Ground & { readonly kept: Kept; readonly watch: StorageWatch };

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
    isLocked: false,
  };
  const parts: Parts = { ...ground, kept, watch };
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
      const isLost = kept.record === null || kept.record.sid !== undefined;
      return isLost && kept.marker !== null && hasCookieOf(kept, kept.marker) ? kept.marker : null;
    },
    writtenAtMs: () => kept.recordAtMs,
    heldSinceMs: () => kept.heldSinceMs,
    goneSinceMs: (sid) => kept.written.get(sid)?.goneSinceMs ?? null,
    ...refusing(kept, ground),
    wipe: () => {
      kept.record = null;
      kept.outbox = [];
      kept.deviceSecret = null;
      // Cookies may survive what empties a script's storage.
      if (ground.random.chance(0.5)) {
        kept.jar = new Map();
        kept.marker = null;
      }
      watch.onLost();
    },
    damage: () => {
      if (!kept.record) return;
      kept.record = { stamp: kept.record.stamp, session: null, endedReason: 'storage-lost', sid: null };
      watch.onLost();
    },
    forgetLast: (isTooFar) => forgetLast(parts, isTooFar),
  };
}

/** How the store is locked, or refuses for good, and comes back. */
const refusing = (
  kept: Kept,
  { scheduler }: Ground,
): Pick<Storage, 'refusedMs' | 'lock' | 'unlock' | 'refusesSinceMs' | 'refuse' | 'mend'> => ({
  refusedMs: () => (kept.isLocked || kept.refusesSinceMs !== null ? scheduler.nowMs() : kept.refusedMs),
  lock: () => {
    kept.isLocked = true;
  },
  unlock: () => {
    if (kept.isLocked) kept.refusedMs = scheduler.nowMs();
    kept.isLocked = false;
  },
  refusesSinceMs: () => kept.refusesSinceMs,
  refuse: () => {
    kept.refusesSinceMs ??= scheduler.nowMs();
  },
  mend: () => {
    if (kept.refusesSinceMs !== null) kept.refusedMs = scheduler.nowMs();
    kept.refusesSinceMs = null;
  },
});

/** The browser has died: what was written last may never have been on disk. */
function forgetLast({ kept, scheduler, watch }: Parts, isTooFar: (token: string) => boolean): void {
  const nowMs = scheduler.nowMs();
  const token = kept.recordBefore?.session?.refreshToken ?? null;
  const mayLoseRecord = token === null || !isTooFar(token);
  if (nowMs - kept.recordAtMs < UNWRITTEN_MS && mayLoseRecord) {
    kept.record = kept.recordBefore;
    // The device does not know any more that this user has left.
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

/** One operation of a store: slow at times, refused while it is locked, done even if the process has frozen meanwhile. */
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
      if (kept.isLocked || isFailing) return runTask(process, () => reject(new Error('the store cannot be used')));
      work((result) => runTask(process, () => resolve(result)));
    });
  });
}

/** The error of a store that a person has to mend. A browser that has lost its database knows of no such error. */
const refusalOf = (store: StoreKind): Error =>
  store === 'cookie'
    ? new Error('Connection to Indexed Database server lost')
    : new HoldfastError('storage-unavailable', 'the store belongs to another user', { isRetryable: false });

const seal = ({ scheduler, random }: Parts, process: Process): Promise<void> =>
  new Promise((resolve) => {
    scheduler.after(random.int(0, 2), () => runTask(process, resolve));
  });

function writeRecord({ kept, scheduler }: Parts, next: Omit<VaultRecord, 'stamp'>, stamp: number): VaultRecord {
  kept.recordBefore = kept.record;
  kept.recordAtMs = scheduler.nowMs();
  if (kept.record?.session?.sid !== next.session?.sid) kept.heldSinceMs = scheduler.nowMs();
  kept.record = { ...next, stamp };
  noteUser(kept, next, scheduler.nowMs());
  return kept.record;
}

/** A tombstone by the user, or another user's session: whoever was signed in here before is gone. */
function noteUser({ written }: Kept, { session, endedReason }: Omit<VaultRecord, 'stamp'>, nowMs: number): void {
  if (session === null && endedReason !== 'user') return;
  for (const each of written.values())
    if (session === null || each.sub !== session.sub) each.goneSinceMs ??= nowMs;
    else each.goneSinceMs = null;
  if (session?.sid) written.set(session.sid, { sub: session.sub, goneSinceMs: null });
}

function vaultOf(parts: Parts, process: Process): Vault {
  const { kept, scheduler, random, setup, watch } = parts;
  return {
    read: () =>
      operate<VaultRecord | null>(parts, process, 0, (finish) => {
        const { record } = kept;
        watch.onRead(process);
        finish(record);
      }),
    replace: async (expectedStamp, next) => {
      watch.onWriting(process);
      // A vault seals before it writes, and a tab can freeze between the two; a keychain does both in one task.
      if (setup.store === 'vault') await seal(parts, process);
      return operate(parts, process, setup.faults.vaultFull, (finish) => {
        const stamp = kept.record?.stamp ?? 0;
        if (expectedStamp !== null && expectedStamp !== stamp) return finish({ replaced: false, record: kept.record });
        // A store that was emptied begins again with a stamp that nobody remembers.
        const following = kept.record ? stamp + 1 : scheduler.nowMs();
        const write = (): void => {
          // Another process has signed in between compare and swap: the store has lost that session.
          const isOverwritten = (kept.record?.stamp ?? 0) !== stamp && kept.record?.session?.sid !== next.session?.sid;
          finish({ replaced: true, record: writeRecord(parts, next, following) });
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
  const change = (next: () => readonly Revocation[]): Promise<void> =>
    operate<void>(parts, process, parts.setup.faults.vaultFull, (finish) => {
      kept.outbox = next();
      finish();
    });
  return {
    list: () => operate<readonly Revocation[]>(parts, process, 0, (finish) => finish(kept.outbox)),
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

/** Stores what `Set-Cookie` fields say; the newest is last. */
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
