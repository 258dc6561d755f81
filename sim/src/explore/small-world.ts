import { defaultPolicy } from '../../../client/src/core/policy.ts';
import type { VaultRecord } from '../../../client/src/core/ports.ts';
import { initialState, transition } from '../../../client/src/core/session.ts';
import type {
  Effect,
  MachineConfig,
  SessionEvent,
  SessionState as ClientState,
} from '../../../client/src/core/state.ts';
import type { TokenResult, Tokens } from '../../../client/src/core/token-result.ts';
import { DEFAULT_POLICY } from '../../../server/src/kernel/policy.ts';
import { decide, type SessionState as Row } from '../../../server/src/rotation/rotation.ts';

// A world that is small enough to be explored completely: the real machine of each tab, the real decision, one row, one
// store, and the messages under way. The only unit of time is a minute. Worlds are values, and a step returns a new
// one.

/** One copy of one generation. */
export type Copy = { readonly generation: number; readonly nonce: number };

export type Message =
  | {
      readonly kind: 'ask';
      readonly tab: number;
      readonly attempt: number;
      readonly copy: Copy;
      readonly isOld: boolean;
    }
  | {
      readonly kind: 'answer';
      readonly tab: number;
      readonly attempt: number;
      readonly says: 'copy' | 'access' | 'wait' | 'no';
      readonly copy: Copy | null;
      readonly isOld: boolean;
    };

type WriteVault = Extract<Effect, { readonly type: 'writeVault' }>;

/** A tab: its machine's state, and its pending writes to the store. */
export type SmallTab = { readonly state: ClientState; readonly writes: readonly WriteVault[] };

/** The parameters of an explored world. */
export type SmallSetup = {
  readonly title: string;
  readonly store: 'vault' | 'cookie';
  readonly tabs: number;
  readonly faults: number;
  /** How many refreshes all tabs may send. */
  readonly sends: number;
  /** How often the thief uses a copy; 0: there is no thief. */
  readonly thiefUses: number;
};

export type SmallWorld = {
  readonly store: SmallSetup['store'];
  readonly nowMs: number;
  readonly row: Row;
  /** The row to which the database falls back; `null`: everything is on disk. */
  readonly rowOnDisk: Row | null;
  readonly record: VaultRecord | null;
  readonly cookie: Copy | null;
  readonly tabs: readonly SmallTab[];
  readonly messages: readonly Message[];
  /** Copies that the thief has; `null` before the theft. */
  readonly loot: readonly Copy[] | null;
  readonly thiefUses: number;
  readonly nonces: number;
  readonly faults: number;
  readonly sends: number;
  readonly turns: string;
  readonly fallbacks: number;
  readonly broken: string | null;
};

const START_MS = Date.UTC(2_030, 0, 1);
const FAR_MS = 1e11;
const SID = 'session';

const configOf = (store: SmallSetup['store']): MachineConfig => ({
  hasCookie: store === 'cookie',
  scope: null,
  stages: ['password'],
  automaticStages: [],
  isUserActive: true,
  storeKnownMs: Infinity,
});

const CONFIGS = { vault: configOf('vault'), cookie: configOf('cookie') } as const;

const nameOf = ({ generation, nonce }: Copy): string => `${generation}.${nonce}`;

function copyOf(name: string): Copy {
  const [generation, nonce] = name.split('.').map(Number);
  return { generation: generation ?? 0, nonce: nonce ?? 0 };
}

export const sameCopy = (a: Copy, b: Copy): boolean => a.nonce === b.nonce && a.generation === b.generation;

/** Builds a world with an old session in every tab. */
export function smallWorld({ store, tabs, faults, sends, thiefUses }: SmallSetup): SmallWorld {
  const first: Copy = { generation: 0, nonce: 0 };
  const session = {
    sid: SID,
    sub: 'ada',
    refreshToken: store === 'cookie' ? null : nameOf(first),
    scope: null,
    startedAtMs: START_MS,
    expiresAtMs: null,
    access: { value: 'access', tokenType: 'Bearer' as const, expiresAtMs: START_MS + FAR_MS, lifetimeMs: FAR_MS },
  };
  const world: SmallWorld = {
    store,
    nowMs: START_MS,
    row: {
      clientId: 'app',
      scope: [],
      jkt: null,
      generation: 0,
      rotatedBy: null,
      deliveredAtMs: START_MS - FAR_MS,
      redeliveries: 0,
      idleExpiresAtMs: START_MS + 10 * FAR_MS,
      expiresAtMs: START_MS + 10 * FAR_MS,
      lastUsedAtMs: null,
      revokedReason: null,
    },
    rowOnDisk: null,
    record: { version: 1, session, endedReason: null },
    cookie: store === 'cookie' ? first : null,
    tabs: [],
    messages: [],
    loot: null,
    thiefUses,
    nonces: 1,
    faults,
    sends,
    turns: '',
    fallbacks: 0,
    broken: null,
  };
  return Array.from({ length: tabs }).reduce<SmallWorld>((grown) => openTab(grown, grown.tabs.length), world);
}

const instant = (nowMs: number) => ({ wallMs: nowMs, monotonicMs: nowMs - START_MS + 1_000 });

/** Opens a tab, or opens it again after it was killed. */
export function openTab(world: SmallWorld, tab: number): SmallWorld {
  const fresh: SmallTab = { state: initialState(0, instant(world.nowMs)), writes: [] };
  const tabs = [...world.tabs];
  tabs[tab] = fresh;
  return feed({ ...world, tabs }, tab, { type: 'woke' });
}

/**
 * Gives a tab's machine an event, and runs its effects. Every lock is granted at once, and the store is read in the
 * same task.
 */
export function feed(world: SmallWorld, tab: number, first: SessionEvent): SmallWorld {
  let next = world;
  const queue = [first];
  for (let event = queue.shift(); event !== undefined; event = queue.shift()) next = turn(next, tab, event, queue);
  return next;
}

function turn(world: SmallWorld, tab: number, event: SessionEvent, queue: SessionEvent[]): SmallWorld {
  const own = world.tabs[tab];
  if (own === undefined) return world;
  const [state, effects] = transition(own.state, event, instant(world.nowMs), defaultPolicy, CONFIGS[world.store]);
  const turned: SmallWorld = { ...world, tabs: world.tabs.with(tab, { ...own, state }) };
  return effects.reduce((next, effect) => runEffect(next, tab, effect, queue), turned);
}

function runEffect(world: SmallWorld, tab: number, effect: Effect, queue: SessionEvent[]): SmallWorld {
  const own = world.tabs[tab];
  if (own === undefined) return world;
  switch (effect.type) {
    case 'acquireLock':
      queue.push({ type: 'lockSettled', attempt: effect.attempt, isHeld: true });
      return world;
    case 'readVault':
      queue.push({ type: 'vaultRead', operation: effect.operation, record: world.record });
      return world;
    case 'writeVault':
      return { ...world, tabs: world.tabs.with(tab, { ...own, writes: [...own.writes, effect] }) };
    case 'sendRefresh': {
      const { refreshToken } = effect.session;
      const copy = refreshToken === null ? world.cookie : copyOf(refreshToken);
      // Drop a request beyond the limit, so that retries do not make the world endless.
      if (copy === null || world.sends === 0) return world;
      const ask: Message = { kind: 'ask', tab, attempt: effect.attempt, copy, isOld: false };
      return { ...world, sends: world.sends - 1, messages: [...world.messages, ask] };
    }
    default:
      return world;
  }
}

/** True if a tab still waits for the answer to this attempt. */
export function isAwaited({ state }: SmallTab, attempt: number): boolean {
  return state.flight?.attempt === attempt && state.flight.step.kind === 'requesting';
}

/**
 * Lets the server answer a refresh. After a delivery, all earlier messages are old: they die before the interval is
 * over.
 */
export function serve(
  world: SmallWorld,
  copy: Copy,
  who: 'O' | 'T',
): readonly [SmallWorld, Extract<Message, { kind: 'answer' }>] {
  const { row, nowMs } = world;
  const presented = {
    generation: copy.generation,
    nonce: String(copy.nonce),
    clientId: 'app',
    scope: null,
    jkt: null,
    isUserActive: false,
    isExtension: false,
  };
  const outcome = decide(row, presented, nowMs, DEFAULT_POLICY);
  const answer = (
    says: 'copy' | 'access' | 'wait' | 'no',
    handed: Copy | null = null,
  ): Extract<Message, { kind: 'answer' }> => ({
    kind: 'answer',
    tab: -1,
    attempt: -1,
    says,
    copy: handed,
    isOld: says === 'copy',
  });
  const deliver = (changed: Partial<Row>, isOnDisk: boolean): SmallWorld => ({
    ...world,
    row: { ...row, deliveredAtMs: nowMs, redeliveries: 0, ...changed },
    rowOnDisk: isOnDisk ? null : (world.rowOnDisk ?? row),
    messages: world.messages.map((message) => ({ ...message, isOld: true })),
    nonces: world.nonces + 1,
  });
  switch (outcome.kind) {
    case 'rotate': {
      const generation = row.generation + 1;
      const rotated = deliver({ generation, rotatedBy: presented.nonce }, false);
      const turns = world.loot && !world.turns.endsWith(who) ? world.turns + who : world.turns;
      return [{ ...rotated, turns }, answer('copy', { generation, nonce: world.nonces })];
    }
    case 'redeliver':
      return [
        deliver({ redeliveries: row.redeliveries + 1 }, true),
        answer('copy', { generation: row.generation, nonce: world.nonces }),
      ];
    case 'heal':
      return [deliver({ generation: outcome.generation, rotatedBy: null }, false), answer('access')];
    case 'accessTokenOnly':
      return [world, answer('access')];
    case 'wait':
      return [world, answer('wait')];
    case 'revoke':
      return [{ ...world, row: { ...row, revokedReason: 'reuse' }, rowOnDisk: null }, answer('no')];
    case 'refuse':
    case 'unavailable':
      return [world, answer('no')];
  }
}

/** Converts an answer into the client's type. */
export function toAnswer(
  { says, copy }: Extract<Message, { kind: 'answer' }>,
  store: SmallSetup['store'],
): TokenResult {
  if (says === 'wait') return { kind: 'transient', cause: 'rate-limited', retryAfterMs: 30_000 };
  if (says === 'no') return { kind: 'rejected', reason: 'reuse-detected' };
  const tokens: Tokens = {
    accessToken: 'access',
    tokenType: 'Bearer',
    lifetimeMs: FAR_MS,
    refreshToken: copy !== null && store === 'vault' ? nameOf(copy) : null,
    scope: null,
    sid: SID,
    sub: 'ada',
    sessionLifetimeMs: null,
  };
  return { kind: 'tokens', tokens };
}

/** Returns the refresh token that a thief finds in the store; `null` if there is none. */
export function storedCopy({ store, cookie, record }: SmallWorld): Copy | null {
  if (store === 'cookie') return cookie;
  const token = record?.session?.refreshToken;
  return token ? copyOf(token) : null;
}
