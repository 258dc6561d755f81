import { HoldfastServerError, isUnavailable } from '../kernel/errors.ts';
import type { Policy } from '../kernel/policy.ts';
import { activeSpanContext, traceBatch } from '../kernel/tracing.ts';
import {
  type IssuedGeneration,
  type Reading,
  type RotationCandidate,
  type SessionStore,
  RowFault,
} from '../storage/store.ts';

/** Result of a batch for one candidate. */
export type Attempt =
  | { readonly kind: 'rotated'; readonly delivery: IssuedGeneration }
  /** The row did not match, or another candidate of the same session came first. The reading is for `decide`. */
  | { readonly kind: 'read'; readonly reading: Reading | null };

export type RotationBatches = {
  /**
   * Joins the next batch and tries to rotate.
   *
   * @param step `read`: reads without a try to rotate. For a use with a DPoP proof, because its session is probably
   *   bound and a bound session never rotates.
   * @throws HoldfastServerError `unavailable`
   */
  join(candidate: RotationCandidate, step?: 'rotate' | 'read'): Promise<Attempt>;
};

type Waiting = {
  readonly span: ReturnType<typeof activeSpanContext>;
  readonly candidate: RotationCandidate;
  readonly step: 'rotate' | 'read';
  readonly resolve: (attempt: Attempt) => void;
  readonly reject: (error: unknown) => void;
};

/**
 * Batches concurrent rotations into few statements. A batch has the refreshes that arrived while the previous batch was
 * committing, or, if there was none, in the same turn of the event loop. There is no timer, so a single request never
 * waits.
 *
 * A lane is a set of buckets with one batch at a time. A slow shard or connection delays its own lane and no other.
 */
export function createRotationBatches(
  store: Pick<SessionStore, 'rotate' | 'read'>,
  { maxBatchSize, rotationLanes }: Pick<Policy, 'maxBatchSize' | 'rotationLanes'>,
  onBatch: (size: number) => void = () => {},
): RotationBatches {
  const create = (): Lane => createLane(store, maxBatchSize, onBatch);
  const first = create();
  const lanes = [first, ...Array.from({ length: rotationLanes - 1 }, create)];
  return {
    join: (candidate, step = 'rotate') =>
      new Promise((resolve, reject) => {
        const lane = lanes[Number.parseInt(candidate.sid.slice(0, 2), 16) % lanes.length] ?? first;
        lane({ candidate, step, span: activeSpanContext(), resolve, reject });
      }),
  };
}

/** Adds a candidate to the lane's next batch. */
type Lane = (waiting: Waiting) => void;

function createLane(
  store: Pick<SessionStore, 'rotate' | 'read'>,
  maxBatchSize: number,
  onBatch: (size: number) => void,
): Lane {
  const queue: Waiting[] = [];
  let isRunning = false;

  const run = async (): Promise<void> => {
    while (queue.length > 0) {
      const batch = queue.splice(0, maxBatchSize);
      onBatch(batch.length);
      await traceBatch(
        batch.map(({ span }) => span),
        () => serve(batch, store),
      );
    }
    isRunning = false;
  };
  return (waiting) => {
    queue.push(waiting);
    if (isRunning) return;
    isRunning = true;
    setImmediate(() => void run());
  };
}

/** Serves one batch. Resolves or rejects every member, and never throws. */
async function serve(batch: readonly Waiting[], store: Pick<SessionStore, 'rotate' | 'read'>): Promise<void> {
  const { leaders, followers } = splitBySession(batch);
  const unmatched: Waiting[] = [];
  const rotateAll = async (members: readonly Waiting[]): Promise<void> => {
    const deliveries = await store.rotate(members.map(({ candidate }) => candidate));
    for (const [index, member] of members.entries()) {
      const delivery = deliveries[index] ?? null;
      if (delivery === null) unmatched.push(member);
      else member.resolve({ kind: 'rotated', delivery });
    }
  };
  const readAll = async (members: readonly Waiting[]): Promise<void> => {
    const readings = await store.read(members.map(({ candidate }) => candidate));
    for (const [index, member] of members.entries()) {
      member.resolve({ kind: 'read', reading: readings[index] ?? null });
    }
  };
  await settle(leaders, rotateAll);
  await settle([...unmatched, ...followers], readAll);
}

/**
 * Splits a batch into leaders and followers. Leaders are the first candidate to rotate of each session, sorted by id so
 * that two nodes lock rows in one order. Followers are read after the leaders have rotated.
 */
function splitBySession(batch: readonly Waiting[]): {
  readonly leaders: readonly Waiting[];
  readonly followers: readonly Waiting[];
} {
  const leaders = new Map<string, Waiting>();
  const followers: Waiting[] = [];
  for (const member of batch) {
    if (member.step === 'read' || leaders.has(member.candidate.sid)) followers.push(member);
    else leaders.set(member.candidate.sid, member);
  }
  const sorted = [...leaders.values()].toSorted((a, b) => (a.candidate.sid < b.candidate.sid ? -1 : 1));
  return { leaders: sorted, followers };
}

/**
 * Does a step for all members at once. If it fails and the database is available, one row caused the failure by a lock
 * or by its values. Then does the step for each member alone, so that the others are answered.
 */
async function settle(
  members: readonly Waiting[],
  step: (members: readonly Waiting[]) => Promise<void>,
): Promise<void> {
  if (members.length === 0) return;
  try {
    await step(members);
  } catch (error) {
    if (isUnavailable(error)) {
      for (const member of members) member.reject(error);
      return;
    }
    await Promise.all(members.map((member) => settleAlone(member, step)));
  }
}

async function settleAlone(member: Waiting, step: (members: readonly Waiting[]) => Promise<void>): Promise<void> {
  try {
    await step([member]);
  } catch (cause) {
    const isHeld = cause instanceof RowFault;
    member.reject(
      isHeld ? new HoldfastServerError('unavailable', 'the session is held by another transaction', { cause }) : cause,
    );
  }
}
