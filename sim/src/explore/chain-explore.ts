import { createHash } from 'node:crypto';
import { outsidePromises } from '../sandbox/drain.ts';
import { keepStates } from '../sandbox/staged-snapshot.ts';
import { chainSteps, judgeNow, judgeQuiet } from './chain-steps.ts';
import {
  act,
  chainWorld,
  cookiesOf,
  living,
  machineOf,
  nameOfUser,
  type ChainSetup,
  type ChainWorld,
} from './chain-world.ts';
import type { Exploration } from './explore.ts';

// Real clients and servers cannot be copied like values, so each state is reached by playing its steps again from the
// start.

/**
 * Fields that do not affect the future of a world: secrets and counters for people, and times that nothing here waits
 * for.
 */
const IGNORED: ReadonlySet<string> = new Set([
  'accessTokenSince',
  'tokenSinceMs',
  'verdicts',
  'failures',
  'jitter',
  'operations',
  'attempts',
  'attempt',
  'operation',
  'paidUntilMs',
  'access',
  'endsAt',
  'expiresAtMs',
  'generation',
  'tokenNumber',
  'deadlineMs',
  'deadline',
  'pauseUntilMs',
  'isUserActive',
  'knownUntil',
  'warningsGiven',
  'sub',
  'scope',
]);

/** Times and sequence numbers that are compared with each other: only their order counts. */
const ORDERED: ReadonlySet<string> = new Set(['startedAtMs', 'endedAtMs', 'sentAtMs', 'signedOutAtMs']);
const PLACES: ReadonlySet<string> = new Set(['deviceSequence', 'signedOutSequence', 'issuedSequence', 'lastSequence']);

const NAMES =
  /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|secret-access-\d+|[A-Za-z0-9_-]{40,}|\b[0-9a-f]{24,}\b/gu;

/**
 * Returns the key of a world. Worlds have the same key if they differ only in names, in the time of day, or in the
 * order of the tabs.
 */
function keyOf(world: ChainWorld): string {
  const inOrder = world.tabs.map((_, at) => at);
  return [writeFacts(world, inOrder), writeFacts(world, inOrder.toReversed())].toSorted()[0] ?? '';
}

/** Writes the facts of a world as text, with the tabs in the given order. */
function writeFacts(world: ChainWorld, order: readonly number[]): string {
  const facts = factsOf(world, order);
  const numbers = { times: new Set<number>(), places: new Set<number>() };
  collect('', facts, numbers);
  const rank = (values: ReadonlySet<number>): ReadonlyMap<number, number> =>
    new Map([...values].toSorted((a, b) => a - b).map((value, at) => [value, at]));
  const ranks = { times: rank(numbers.times), places: rank(numbers.places) };
  const names = new Map<string, string>();
  const rename = (name: string): string => {
    const known = names.get(name) ?? `#${names.size}`;
    names.set(name, known);
    return known;
  };
  const text = JSON.stringify(facts, (field, value: unknown) => {
    if (IGNORED.has(field)) return undefined;
    if (typeof value === 'string') return value.replaceAll(NAMES, rename);
    if (typeof value !== 'number') return value;
    if (ORDERED.has(field)) return ranks.times.get(value);
    if (PLACES.has(field)) return ranks.places.get(value);
    if (field === 'version') return rename(`version ${value}`);
    return value > 900 ? 'some time' : value;
  });
  return createHash('sha256').update(text).digest('base64');
}

function collect(
  field: string,
  value: unknown,
  into: { readonly times: Set<number>; readonly places: Set<number> },
): void {
  if (IGNORED.has(field)) return;
  if (typeof value === 'number' && ORDERED.has(field)) into.times.add(value);
  if (typeof value === 'number' && PLACES.has(field)) into.places.add(value);
  if (typeof value === 'object' && value !== null)
    for (const [name, each] of Object.entries(value)) collect(Array.isArray(value) ? field : name, each, into);
}

/** Collects everything on which the future of a world depends. */
function factsOf(world: ChainWorld, order: readonly number[]): unknown {
  const { rows, stores, signIns, faults, signedOutAtMs, tabs, letters, writings, sentAt } = world;
  const alive = new Set(living(world).map(({ sid }) => sid));
  return {
    rows: [...rows.values()].map((row) => ({
      sid: row.sid,
      user: nameOfUser(row.sub),
      deviceId: row.deviceId,
      deviceSequence: row.deviceSequence,
      signedOutSequence: row.signedOutSequence,
      secret: row.deviceSecretHash,
      why: row.revokedReason,
      sentAtMs: sentAt.get(row.sid),
      ...(alive.has(row.sid) && {
        copy: row.generation,
        rotatedBy: row.rotatedBy,
        redeliveries: row.redeliveries,
        hasPredecessors: row.hasPredecessors,
        isUsed: row.lastUsedAtMs !== null,
      }),
    })),
    jar: cookiesOf(world),
    stores,
    left: { signIns, faults },
    signedOutAtMs,
    tabs: order
      .flatMap((at) => tabs[at] ?? [])
      .map((tab) => tab.isAlive && { state: machineOf(tab), ...tab, auth: null, emit: null }),
    letters: letters
      .map(({ tab, kind, request, cookie, sentAtMs, answer, setCookie }) => ({
        of: order.indexOf(tab),
        kind,
        body: request.body,
        cookie,
        sentAtMs,
        status: answer?.status,
        answer: answer?.body,
        setCookie,
      }))
      .toSorted((a, b) => a.of - b.of),
    writings: writings
      .map(({ tab, sid, version }) => ({ of: order.indexOf(tab), sid, version }))
      .toSorted((a, b) => a.of - b.of),
  };
}

type Way = { readonly before: Way | null; readonly label: string };

function traceOf(way: Way | null): readonly string[] {
  const labels: string[] = [];
  for (let at = way; at; at = at.before) labels.push(at.label);
  return labels.toReversed();
}

/** Plays the steps of a trace in a new world. */
function replay(setup: ChainSetup, trace: readonly string[]): ChainWorld {
  const world = chainWorld(setup);
  for (const label of trace) {
    const step = chainSteps(world).find((each) => each.label === label);
    if (!step) throw new Error(`this world does not know the step any more: ${label}`);
    act(world, step.run);
  }
  return world;
}

/** Explores a chain world breadth first, so that the first trace to a broken promise is the shortest. */
export function exploreChain(setup: ChainSetup, limit: number): Promise<Exploration> {
  keepStates();
  return new Promise((resolve, reject) => {
    outsidePromises(() => resolve(exploreNow(setup, limit))).catch(reject);
  });
}

function exploreNow(setup: ChainSetup, limit: number): Exploration {
  const seen = new Set<string>();
  let mostAlive = 0;
  let frontier: readonly (Way | null)[] = [null];
  const end = (broken: Exploration['broken'], isComplete: boolean): Exploration => ({
    states: seen.size,
    broken,
    isComplete,
    turns: '',
    mostAlive,
  });
  while (frontier.length > 0) {
    const following: Way[] = [];
    for (const way of frontier) {
      const trace = traceOf(way);
      const world = replay(setup, trace);
      const now = judgeNow(world);
      if (now) return end({ what: now, trace }, true);
      const key = keyOf(world);
      if (seen.has(key)) continue;
      seen.add(key);
      mostAlive = Math.max(mostAlive, living(world).length);
      const steps = chainSteps(world);
      for (const { label } of steps) following.push({ before: way, label });
      const later = judgeQuiet(world);
      if (later) return end({ what: later, trace: [...trace, 'all becomes quiet'] }, true);
      if (seen.size > limit) return end(null, false);
    }
    frontier = following;
  }
  return end(null, true);
}
