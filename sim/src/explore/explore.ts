import { stepsOf } from './small-steps.ts';
import { smallWorld, type SmallSetup, type SmallWorld } from './small-world.ts';

/** The result of exploring a small world. */
export type Exploration = {
  readonly states: number;
  /** The broken promise and the shortest trace to it; `null` if none was found. */
  readonly broken: { readonly what: string; readonly trace: readonly string[] } | null;
  /** True if every state was visited, or a promise was broken. */
  readonly isComplete: boolean;
  /** The longest sequence of turns after a theft. */
  readonly turns: string;
  /** The largest number of sessions that were live at once. */
  readonly mostAlive?: number;
};

/** Fields that do not affect the future of a world: counters for people, and times that are far away. */
const IGNORED: ReadonlySet<string> = new Set([
  'startedAt',
  'startedAtMs',
  'paidUntilMs',
  'jitter',
  'failures',
  'expiresAt',
  'expiresAtMs',
  'idleExpiresAtMs',
  'endsAt',
  'broken',
  'operations',
  'wallMs',
  'store',
  'nowMs',
  'nonces',
]);

/**
 * Returns the key of a world. Worlds have the same key if they differ only in the names of copies, attempts and versions,
 * or in the time of day.
 */
function keyOf(world: SmallWorld): string {
  const names = new Map<string, string>();
  const rename = (kind: string, value: number | string): string => {
    const name = kind + value;
    const known = names.get(name);
    if (known !== undefined) return known;
    const fresh = kind + names.size;
    names.set(name, fresh);
    return fresh;
  };
  const write = (field: string, value: unknown): string => {
    if (typeof value === 'number') return writeNumber(field, value, world.nowMs, rename);
    if (typeof value === 'string') return writeText(field, value, rename);
    if (typeof value !== 'object' || value === null) return String(value);
    if (Array.isArray(value)) return `[${value.map((each) => write('', each)).join()}]`;
    let text = '{';
    // Fields have a fixed order, so their names can be left out.
    for (const [name, each] of Object.entries(value)) if (!IGNORED.has(name)) text += `${write(name, each)},`;
    return `${text}}`;
  };
  // The number of tokens that a tab has held does not matter, because no request waits for one.
  const tabs = world.tabs.map(({ state, writes }) => ({ state: { ...state, tokenNumber: 0 }, writes }));
  return write('', { ...world, tabs });
}

type Rename = (kind: string, value: number | string) => string;

function writeNumber(field: string, value: number, nowMs: number, rename: Rename): string {
  if (field === 'deliveredAtMs') return String(Math.min(nowMs - value, 60_000));
  if (field === 'monotonicMs' || field === 'sentAt') return String(isToCome(value, nowMs));
  if (field === 'attempt' || field === 'attempts' || field === 'operation') return rename('a', value);
  if (field === 'version') return rename('s', value);
  if (field === 'nonce') return rename('n', value);
  return String(value);
}

function writeText(field: string, value: string, rename: Rename): string {
  if (field === 'rotatedBy') return rename('n', value);
  if (field === 'refreshToken' || field === 'body')
    return value.replace(/(\d+)\.(\d+)/u, (_, g: string, n: string) => `${g}.${rename('n', n)}`);
  return value;
}

const START_MS = Date.UTC(2_030, 0, 1);

/** True if a tab's deadline is still to come. No deadline is longer than a minute. */
const isToCome = (monotonicMs: number, nowMs: number): boolean => monotonicMs > nowMs - START_MS + 1_000;

/** Explores a small world breadth first, so that the first trace to a broken promise is the shortest. */
export function explore(setup: SmallSetup, limit: number): Exploration {
  const start = smallWorld(setup);
  const startKey = keyOf(start);
  const cameFrom = new Map<string, { readonly key: string; readonly label: string } | null>([[startKey, null]]);
  let frontier: readonly (readonly [string, SmallWorld])[] = [[startKey, start]];
  let turns = '';
  while (frontier.length > 0) {
    const following: (readonly [string, SmallWorld])[] = [];
    for (const [key, world] of frontier) {
      for (const { label, world: next } of stepsOf(world)) {
        if (next.broken !== null) {
          const trace = [...traceOf(cameFrom, key), label];
          return { states: cameFrom.size, broken: { what: next.broken, trace }, isComplete: true, turns };
        }
        const nextKey = keyOf(next);
        if (cameFrom.has(nextKey)) continue;
        cameFrom.set(nextKey, { key, label });
        if (next.turns.length > turns.length) turns = next.turns;
        following.push([nextKey, next]);
      }
      if (cameFrom.size > limit) return { states: cameFrom.size, broken: null, isComplete: false, turns };
    }
    frontier = following;
  }
  return { states: cameFrom.size, broken: null, isComplete: true, turns };
}

function traceOf(
  cameFrom: ReadonlyMap<string, { readonly key: string; readonly label: string } | null>,
  key: string,
): readonly string[] {
  const labels: string[] = [];
  for (let at = cameFrom.get(key); at; at = cameFrom.get(at.key)) labels.push(at.label);
  return labels.toReversed();
}
