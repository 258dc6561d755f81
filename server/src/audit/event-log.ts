import { isUnavailable } from '../kernel/errors.ts';
import type { HoldfastEvent, HoldfastFact, RefreshRefused } from '../kernel/events.ts';
import { startLoop } from '../kernel/loop.ts';
import type { Policy } from '../kernel/policy.ts';
import { toStoredEvent, type EventStore, type StoredEvent } from '../storage/event-store.ts';
import { createNoiseGate } from './event-noise.ts';

/** Appends reported events to the audit log in batches, without delay for the requests that reported them. */
export type EventLog = {
  /** Queues an event. Never waits and never throws. */
  readonly record: (event: HoldfastEvent) => void;
  /** Stops the writer and writes the queued events. One attempt only. */
  readonly close: () => Promise<void>;
};

const BATCH_SIZE = 200;
/** How long repeatable events are counted before their sum is written, in milliseconds. */
const NOISE_WINDOW_MS = 60_000;
/** The part of the buffer that repeatable events may fill, so that they displace no news in an outage. */
const NOISE_SHARE = 0.1;

export type EventLogParts = {
  readonly append: EventStore['append'];
  readonly policy: Pick<Policy, 'eventBufferLimit' | 'eventRetryMs'>;
  /** Warns the operator. Its arguments contain no event. */
  readonly warn: (message: string, failure: unknown) => void;
  /** Default: a minute. */
  readonly noiseWindowMs?: number;
};

/** Starts writing the audit log. News is written before noise. */
export function startEventLog({ append, policy, warn, noiseWindowMs = NOISE_WINDOW_MS }: EventLogParts): EventLog {
  const news: StoredEvent[] = [];
  const noise: StoredEvent[] = [];
  let lost = 0;
  const writeBatch = async (): Promise<boolean> => {
    const fresh = news.slice(0, BATCH_SIZE);
    const batch = [...fresh, ...noise.slice(0, BATCH_SIZE - fresh.length)];
    if (batch.length === 0) return false;
    // After an answer in doubt the batch is written again. Each event is still stored once, because its id is its key.
    lost += await appendSound(append, batch);
    news.splice(0, fresh.length);
    noise.splice(0, batch.length - fresh.length);
    return news.length + noise.length > 0;
  };
  const warnUnwritten = (failure: unknown): void =>
    warn(`the audit log could not be written: ${news.length + noise.length} events wait, ${lost} were lost`, failure);
  const writing = startLoop({ step: writeBatch, pauseMs: policy.eventRetryMs, onFailure: warnUnwritten });
  const keep = (event: HoldfastFact | HoldfastEvent, queue: StoredEvent[], limit: number): void => {
    if (queue.length < limit) queue.push(toStoredEvent(event));
    else lost++;
    writing.nudge();
  };
  const noiseLimit = Math.ceil(policy.eventBufferLimit * NOISE_SHARE);
  const gate = createNoiseGate();
  let window: NodeJS.Timeout | null = null;
  const closeWindow = (): void => {
    if (window !== null) clearTimeout(window);
    window = null;
    for (const sum of gate.closeWindow()) keep(sum, noise, noiseLimit);
  };
  return {
    record: (event) => {
      if (!isAppended(event)) return;
      const queue = gate.admit(event);
      if (gate.isOpen()) window ??= setTimeout(closeWindow, noiseWindowMs).unref();
      if (queue === 'news') keep(event, news, policy.eventBufferLimit);
      if (queue === 'noise') keep(event, noise, noiseLimit);
    },
    close: async () => {
      closeWindow();
      await writing.stop();
      try {
        while (await writeBatch());
      } catch (failure) {
        warnUnwritten(failure);
      }
    },
  };
}

/**
 * Appends a batch. If the database is available and refuses it, appends the events one by one, so that one refused
 * event blocks no other.
 *
 * @returns the number of refused events
 * @throws the failure if the database is unavailable or refuses every event; the batch is then tried again
 */
async function appendSound(append: EventStore['append'], batch: readonly StoredEvent[]): Promise<number> {
  try {
    await append(batch);
    return 0;
  } catch (failure) {
    if (isUnavailable(failure)) throw failure;
    let refused = 0;
    for (const event of batch) {
      try {
        await append([event]);
      } catch (error) {
        if (isUnavailable(error)) throw error;
        refused++;
      }
    }
    if (refused === batch.length) throw failure;
    return refused;
  }
}

/** Refusals for a live session that suggest theft: another client or key uses the token, or it asks for more scope. */
const NOTABLE_REFUSALS: ReadonlySet<RefreshRefused['reason']> = new Set(['wrong_client', 'wrong_key', 'scope']);

/**
 * True if the writer appends an event to the audit log. Names every type, so that a new one does not compile until its
 * author has chosen.
 *
 * Leaves out events that a stranger can cause without limit (garbage, tokens of dead sessions), frequent events
 * (rotations, requests), and events that the store has already recorded with the change itself.
 */
function isAppended(event: HoldfastEvent): boolean {
  switch (event.type) {
    case 'session.created':
    case 'session.revoked':
      return false;
    case 'session.predecessors_kept':
    case 'request.answered':
    case 'sign_in.delayed':
    case 'proof.refused':
    case 'database.doubted':
    case 'server_key.unknown':
      return false;
    case 'refresh.answered':
      return event.outcome === 'healed';
    case 'refresh.refused':
      return event.sid !== null && NOTABLE_REFUSALS.has(event.reason);
    case 'credential.changed':
    case 'events.counted':
    case 'passkey.counter_regressed':
    case 'refresh.delayed':
    case 'refresh.redelivery_paced':
    case 'refresh.secret_mismatched':
    case 'sign_in.failed':
    case 'sign_in.rate_exceeded':
    case 'user.changed':
    case 'webhook.abandoned':
      return true;
  }
}
