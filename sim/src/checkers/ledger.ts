import type { HoldfastFact } from '../../../server/src/kernel/events.ts';
import type { MemorySession as SessionRow } from '../../../server/src/storage/memory-tables.ts';
import type { RotationCandidate } from '../../../server/src/storage/store.ts';
import type { Scheduler } from '../sandbox/scheduler.ts';
import { LIFE_MS } from '../sandbox/setup.ts';
import type { StateName } from './states.ts';

/** A broken promise of the system. */
export type Violation = { readonly invariant: Invariant; readonly text: string; readonly atMs: number };

/** I1 to I12 as docs/simulation.md lists them; `crash`: the code under test threw where it must not. */
export type Invariant = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7' | 'I8' | 'I9' | 'I10' | 'I11' | 'I12' | 'crash';

/** The facts about a session, as the database reports them. */
export type SessionTruth = {
  readonly sid: string;
  readonly sub: string;
  readonly createdAtMs: number;
  /** Why the session was ended; `null` while it is not. */
  endedReason: string | null;
  endedAtMs: number;
  isStolen: boolean;
  isSignedOut: boolean;
  /** A tab was told without a reason that the session had ended. */
  isLost: boolean;
  /** How often the database has forgotten a write to it. */
  fallbacks: number;
  /** Generations that have rotated since the database last forgot a write. */
  readonly rotatedFrom: Set<number>;
  /** The order of rotations since the theft, without repetition: `OTO` is owner, thief, owner. */
  turns: string;
  /** The minutes since the theft in which the holder of the newest copy, and the thief, were answered. */
  readonly answered: { readonly newest: Set<number>; readonly thief: Set<number> };
  stolenAtMs: number;
};

/** A resource's answer to a request. */
export type ResourceAnswer = { readonly status: number; readonly challenge: string | null };

/** A request of the app, from its beginning to its one end. */
export type Call = {
  readonly id: number;
  readonly process: string;
  /** The user that the tab showed when the request began; `null` if none. */
  readonly sub: string | null;
  readonly mayRepeat: boolean;
  /** The resource that the request names; `null`: it names none. */
  readonly resource: string | null;
  readonly beganAtMs: number;
  executions: number;
  settlements: number;
  isForgotten: boolean;
  /** True if the resource refuses the request with any token; `null` before the request has reached it. */
  isItemRefused: boolean | null;
  /** True if the resource has asked for a fresher authentication: the request then waits for its user. */
  isForUser: boolean;
};

/** The sender of an answered refresh; `isNewest` if it presented the newest copy. */
export type Answered = { readonly who: string; readonly isNewest: boolean };

/** The ledger: what really happened, as the simulated parts report it, and the broken promises. */
export type Books = {
  readonly violations: readonly Violation[];
  readonly reached: ReadonlyMap<string, number>;
  readonly sessions: ReadonlyMap<string, SessionTruth>;
  readonly calls: ReadonlyMap<number, Call>;
  /** True once a thief has copied a refresh token. */
  isAnyStolen(): boolean;
  /** The number of faults that have struck so far. */
  faults(): number;
  struck(name: string): void;
  readonly reach: (name: StateName) => void;
  readonly violate: (invariant: Invariant, text: string) => void;
  readonly onCreated: (row: SessionRow) => void;
  readonly onRotated: (row: SessionRow, candidate: RotationCandidate) => void;
  readonly onEnded: (row: SessionRow, reason: string) => void;
  readonly onForgotten: (keys: readonly string[]) => void;
  onStolen(sid: string): void;
  /** The user has signed out of a session, perhaps with an old copy. */
  onSignedOut(sid: string): void;
  /** The server has answered a refresh with tokens. */
  onAnswered(sid: string, answered: Answered): void;
  readonly onFact: (fact: HoldfastFact) => void;
  openCall(about: Pick<Call, 'process' | 'sub' | 'mayRepeat' | 'resource'>): Call;
  onExecuted(call: Call, sub: string): void;
  onSettled(call: Call, how: string): void;
  /** Searches a value that people may see for secrets. */
  readonly scan: (where: string, seen: unknown) => void;
};

/** The thief's `User-Agent`. */
export const THIEF = 'thief';

/** Refresh tokens, and the mark of passwords and access tokens in a world. */
const SECRETS = /hfrt_[A-Za-z0-9_-]{20}|secret-/;

function holdsSecret(seen: unknown): boolean {
  if (typeof seen === 'string') return SECRETS.test(seen);
  if (typeof seen !== 'object' || seen === null) return false;
  if (seen instanceof Error) return SECRETS.test(`${seen.message} ${String(seen.cause)}`);
  return Object.values(seen).some(holdsSecret);
}

export function createBooks(scheduler: Scheduler): Books {
  const violations: Violation[] = [];
  const reached = new Map<string, number>();
  const sessions = new Map<string, SessionTruth>();
  const calls = new Map<number, Call>();
  let faults = 0;
  const violate = (invariant: Invariant, text: string): void => {
    scheduler.note('books', `${invariant} VIOLATED: ${text}`);
    violations.push({ invariant, text, atMs: scheduler.nowMs() });
  };
  const reach = (name: StateName): void => void reached.set(name, (reached.get(name) ?? 0) + 1);
  const scan = (where: string, seen: unknown): void => {
    if (holdsSecret(seen)) violate('I8', `a secret in ${where}`);
  };
  const pen: Pen = { scheduler, violate, reach, scan };
  return {
    violations,
    reached,
    sessions,
    calls,
    isAnyStolen: () => [...sessions.values()].some(({ isStolen }) => isStolen),
    faults: () => faults,
    struck: (name) => {
      faults++;
      scheduler.note('fault', name);
    },
    reach,
    violate,
    scan,
    ...sessionBooks(sessions, pen),
    ...callBooks(calls, pen),
  };
}

type Pen = Pick<Books, 'violate' | 'reach' | 'scan'> & { readonly scheduler: Scheduler };

type SessionBooks = Pick<
  Books,
  'onCreated' | 'onRotated' | 'onEnded' | 'onForgotten' | 'onStolen' | 'onSignedOut' | 'onAnswered' | 'onFact'
>;

function sessionBooks(sessions: Map<string, SessionTruth>, { scheduler, violate, reach, scan }: Pen): SessionBooks {
  const truthOf = (sid: string): SessionTruth | undefined => sessions.get(sid);
  return {
    onCreated: (row) => void sessions.set(row.sid, createTruth(row, scheduler.nowMs())),
    onRotated: (row, candidate) => {
      const truth = truthOf(row.sid);
      if (truth) noteRotation(truth, row.generation - 1, candidate, violate);
    },
    onEnded: (row, reason) => {
      const truth = truthOf(row.sid);
      if (!truth) return;
      truth.endedReason = reason;
      truth.endedAtMs = scheduler.nowMs();
      scheduler.note('database', `session ${row.sid.slice(0, 4)} ends: ${reason}`);
      if (reason === 'signed_out') reach('sign-out delivered');
      if (reason !== 'reuse') return;
      if (truth.isStolen) reach('thief caught');
      else if (!truth.isSignedOut) {
        truth.isLost = true;
        violate('I1', 'an honest session was ended as reuse');
      }
    },
    onForgotten: (keys) => {
      for (const key of new Set(keys)) {
        const truth = truthOf(key);
        if (!truth) continue;
        truth.fallbacks++;
        truth.rotatedFrom.clear();
        reach(truth.isStolen ? 'rollback under an active thief' : 'rollback of a rotation');
      }
    },
    onStolen: (sid) => {
      const truth = truthOf(sid);
      if (!truth) return;
      truth.isStolen = true;
      truth.stolenAtMs = scheduler.nowMs();
    },
    onSignedOut: (sid) => {
      const truth = truthOf(sid);
      if (truth) truth.isSignedOut = true;
    },
    onAnswered: (sid, answered) => {
      const truth = truthOf(sid);
      if (truth?.isStolen) noteAnswer(truth, answered, scheduler.nowMs(), violate);
    },
    onFact: (fact) => {
      scan('an event of the server', fact);
      noteFact(fact, reach, scheduler);
    },
  };
}

function callBooks(
  calls: Map<number, Call>,
  { scheduler, violate }: Pen,
): Pick<Books, 'openCall' | 'onExecuted' | 'onSettled'> {
  return {
    openCall: (about) => {
      const call: Call = {
        ...about,
        id: calls.size + 1,
        executions: 0,
        settlements: 0,
        isForgotten: false,
        beganAtMs: scheduler.nowMs(),
        isItemRefused: null,
        isForUser: false,
      };
      calls.set(call.id, call);
      scheduler.note(call.process, `request ${call.id} begins`);
      return call;
    },
    onExecuted: (call, sub) => {
      call.executions++;
      if (call.sub !== null && call.sub !== sub)
        violate('I6', `request ${call.id} of one user was sent with another user's token`);
      if (call.executions > 1 && !call.mayRepeat) violate('I4', `request ${call.id} was executed twice`);
    },
    onSettled: (call, how) => {
      call.settlements++;
      scheduler.note(call.process, `request ${call.id} ends: ${how}`);
      if (call.settlements > 1) violate('I3', `request ${call.id} was settled twice`);
    },
  };
}

const createTruth = ({ sid, sub }: SessionRow, nowMs: number): SessionTruth => ({
  sid,
  sub,
  createdAtMs: nowMs,
  endedReason: null,
  endedAtMs: 0,
  isStolen: false,
  isSignedOut: false,
  isLost: false,
  fallbacks: 0,
  rotatedFrom: new Set(),
  turns: '',
  answered: { newest: new Set(), thief: new Set() },
  stolenAtMs: 0,
});

/**
 * Longest sequence of turns after a theft: owner and thief may rotate alternately three times in all. Each fallback of
 * the database allows two more turns.
 */
const TURNS = 3;

function noteRotation(
  truth: SessionTruth,
  from: number,
  candidate: RotationCandidate,
  violate: Books['violate'],
): void {
  if (truth.endedReason !== null) violate('I2', 'a session that was ended rotates');
  if (truth.rotatedFrom.has(from)) violate('I2', `generation ${from} was rotated twice`);
  truth.rotatedFrom.add(from);
  if (!truth.isStolen) return;
  const who = candidate.userAgent === THIEF ? 'T' : 'O';
  if (!truth.turns.endsWith(who)) truth.turns += who;
  // The owner alone may rotate for ever, because the thief's last copy is spent by then.
  if (truth.turns.length > TURNS + 2 * truth.fallbacks)
    violate('I2', `owner and thief rotated in turn: ${truth.turns}`);
}

const INTERVAL_MS = 60_000;
/**
 * Number of minutes after a theft in which the thief and the holder of the newest copy may both be answered. As long as
 * the owner holds no newer copy than the thief, the thief can repeat the redelivery of the successor. No count ends
 * that, but the owner's return does.
 */
const SHARED = { newestCopy: 12, forFallback: 4 } as const;

function noteAnswer(truth: SessionTruth, { who, isNewest }: Answered, nowMs: number, violate: Books['violate']): void {
  // A request that read the row before the end is answered a moment later.
  const isOver = truth.endedReason !== null && nowMs - truth.endedAtMs > LIFE_MS.work;
  if (isOver) violate('I2', 'a session that was ended is answered');
  const minute = Math.floor((nowMs - truth.stolenAtMs) / INTERVAL_MS);
  const { thief, newest } = truth.answered;
  if (who === THIEF) thief.add(minute);
  else if (isNewest) newest.add(minute);
  const shared = (minutes: ReadonlySet<number>): number => [...thief].filter((each) => minutes.has(each)).length;
  const extra = SHARED.forFallback * truth.fallbacks;
  if (shared(newest) > SHARED.newestCopy + extra)
    violate('I2', `owner and thief were both answered in ${shared(newest)} minutes`);
}

function noteFact(fact: HoldfastFact, reach: Books['reach'], scheduler: Scheduler): void {
  if (fact.type === 'refresh.answered') {
    scheduler.note('server', `${fact.outcome}, generation ${fact.generation}`);
    if (fact.outcome === 'redelivered') reach('redelivery');
    if (fact.outcome === 'healed') reach('heal');
    if (fact.outcome === 'rotated') reach('rotation');
    if (fact.outcome === 'access_token_only') reach('access token alone');
  } else if (fact.type === 'refresh.delayed') {
    scheduler.note('server', 'wait');
    reach('fork answered by wait');
  } else if (fact.type === 'refresh.refused') {
    scheduler.note('server', `refused: ${fact.reason}`);
    if (fact.reason === 'idle_expired') reach('inactivity timeout');
    if (fact.reason === 'expired') reach('absolute lifetime over');
  }
}
