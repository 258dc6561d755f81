import { randomUUID } from 'node:crypto';
import type { EventStore, StoredEvent } from './event-store.ts';
import type { HoldfastEvent, HoldfastFact, RefreshRefused, SessionCreated } from './events.ts';
import { startLoop } from './loop.ts';
import type { Policy } from './policy.ts';
import type { SessionRecord } from './store.ts';

/** Appends what was reported to the audit log, in batches, behind the requests that reported it. */
export interface EventLog {
  /** Takes an event in; never waits and never throws. */
  readonly record: (event: HoldfastEvent) => void;
  /** Writes what is left, once. */
  readonly close: () => Promise<void>;
}

const BATCH_SIZE = 200;

/**
 * Starts writing the audit log.
 *
 * @param warn tells the operator; no event is in what it is given
 */
export function startEventLog(
  append: EventStore['append'],
  policy: Pick<Policy, 'eventBufferLimit' | 'eventRetryMs'>,
  warn: (message: string, failure: unknown) => void,
): EventLog {
  const waiting: StoredEvent[] = [];
  let lost = 0;
  const writeBatch = async (): Promise<boolean> => {
    if (waiting.length === 0) return false;
    const batch = waiting.slice(0, BATCH_SIZE);
    // Written twice after an answer in doubt, an event is still there once: its id is its key.
    await append(batch);
    waiting.splice(0, batch.length);
    return waiting.length > 0;
  };
  const warnUnwritten = (failure: unknown): void =>
    warn(`the audit log could not be written: ${waiting.length} events wait, ${lost} were lost`, failure);
  const writing = startLoop({ step: writeBatch, pauseMs: policy.eventRetryMs, onFailure: warnUnwritten });
  return {
    record: (event) => {
      if (!isAppended(event)) return;
      if (waiting.length < policy.eventBufferLimit) waiting.push(toStoredEvent(event));
      else lost++;
      writing.nudge();
    },
    close: async () => {
      await writing.stop();
      try {
        while (await writeBatch());
      } catch (failure) {
        warnUnwritten(failure);
      }
    },
  };
}

/** Refusals that say something about a session that is alive: somebody holds what is not theirs. */
const NOTABLE_REFUSALS: ReadonlySet<RefreshRefused['reason']> = new Set(['wrong_client', 'wrong_key', 'scope']);

/**
 * Whether an event is appended to the audit log by the writer. A new kind is, unless it is named here.
 *
 * Left out is what a stranger can cause without end (garbage, tokens of dead sessions), what happens all the time (rotations,
 * requests), and what the store has recorded already, with the change itself.
 */
function isAppended(event: HoldfastEvent): boolean {
  switch (event.type) {
    case 'session.created':
    case 'session.revoked':
      return false;
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
    default:
      return true;
  }
}

/** Gives an event its id and, to a fact that has none yet, the time. */
export function toStoredEvent(event: HoldfastFact | HoldfastEvent): StoredEvent {
  return { atMs: Date.now(), ...event, id: randomUUID() };
}

/** The fact that a session was created. */
export function toSessionCreated({ sid, sub, clientId, replaces }: SessionRecord, address: string): SessionCreated {
  return { type: 'session.created', sid, sub, clientId, replaces, address };
}
