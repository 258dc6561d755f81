import { addressKeyOf } from '../kernel/client-address.ts';
import type { EventsCounted, HoldfastEvent } from '../kernel/events.ts';

/** Limits the events that strangers and signed-in users can repeat, so that they do not fill the audit log. */
export type NoiseGate = {
  /** Admits an event. @returns the queue that stores it, or `counted` if only the window's sum has it */
  readonly admit: (event: HoldfastEvent) => 'news' | 'noise' | 'counted';
  /** True if the window has begun: a repeatable event has come in. */
  readonly isOpen: () => boolean;
  /** Ends the window. @returns one sum for each kind with counted events */
  readonly closeWindow: () => readonly EventsCounted[];
};

/** Events of one kind of noise that one window stores. */
const KEPT_PER_WINDOW = 10;
/**
 * Credential changes of one kind and one user that one window stores. Other kinds and users do not use up this number.
 */
const CHANGES_PER_WINDOW = 3;
/** Most networks that one window counts. */
const NETWORKS_PER_WINDOW = 1_000;

/** The events of one kind in one window. */
type Tally = {
  kept: number;
  counted: number;
  readonly sinceMs: number;
  /** Number of stored events by session or user. */
  readonly holders: Map<string, number>;
  /** Networks of the counted events. */
  readonly networks: Set<string>;
};

/**
 * Creates a gate with no open window. A window stores a limited number of events per kind of noise, and per session or
 * user. It counts the others, so that its memory and its output stay bounded.
 */
export function createNoiseGate(): NoiseGate {
  let tallies = new Map<string, Tally>();
  return {
    admit: (event) => {
      const cause = causeOf(event);
      if (cause === null) return 'news';
      const { holder, allowance, queue } = cause;
      const tally = tallies.get(event.type) ?? newTally(event.atMs);
      tallies.set(event.type, tally);
      const kept = tally.holders.get(holder) ?? 0;
      if (kept < allowance && (queue === 'news' || tally.kept < KEPT_PER_WINDOW)) {
        tally.kept++;
        tally.holders.set(holder, kept + 1);
        return queue;
      }
      tally.counted++;
      if ('address' in event && tally.networks.size < NETWORKS_PER_WINDOW)
        tally.networks.add(addressKeyOf(event.address ?? ''));
      return 'counted';
    },
    isOpen: () => tallies.size > 0,
    closeWindow: () => {
      const ended = [...tallies].filter(([, { counted }]) => counted > 0);
      tallies = new Map();
      return ended.map(([kind, { counted, networks, sinceMs }]) => ({
        type: 'events.counted',
        counted: kind as HoldfastEvent['type'],
        count: counted,
        networks: networks.size,
        sinceMs,
      }));
    },
  };
}

function newTally(sinceMs: number): Tally {
  return { kept: 0, counted: 0, sinceMs, holders: new Map(), networks: new Set() };
}

const ANYBODY = '';

/** The cause of a repeatable event: the session or user that can repeat it up to the request limits. */
type Cause = {
  /** Id of the session or user; {@link ANYBODY} if a stranger can repeat the event. */
  readonly holder: string;
  /** Events of this holder that a window stores. */
  readonly allowance: number;
  /** `news`: each holder has its own allowance. `noise`: all holders together share {@link KEPT_PER_WINDOW} too. */
  readonly queue: 'news' | 'noise';
};

/** Finds the cause of an event; null if no party can repeat it without limit, so that all of its kind are stored. */
function causeOf(event: HoldfastEvent): Cause | null {
  switch (event.type) {
    case 'sign_in.failed':
      return byStrangers();
    case 'refresh.refused':
      return event.sid === null ? byStrangers() : byHolder(event.sid);
    case 'refresh.secret_mismatched':
    case 'refresh.delayed':
    case 'refresh.redelivery_paced':
      return byHolder(event.sid);
    case 'passkey.counter_regressed':
    case 'sign_in.rate_exceeded':
      return byHolder(event.sub);
    case 'credential.changed':
      // Store all changes by administrators. Count by kind, so that renamed passkeys cannot hide a new password.
      if (event.sid === null) return null;
      return { holder: `${event.change} ${event.sub}`, allowance: CHANGES_PER_WINDOW, queue: 'news' };
    case 'events.counted':
    case 'refresh.answered':
    case 'user.changed':
    case 'webhook.abandoned':
      return null;
    // The log leaves these out before they come here.
    case 'database.doubted':
    case 'proof.refused':
    case 'request.answered':
    case 'server_key.unknown':
    case 'session.created':
    case 'session.predecessors_kept':
    case 'session.revoked':
    case 'sign_in.delayed':
      return null;
  }
}

function byStrangers(): Cause {
  return { holder: ANYBODY, allowance: KEPT_PER_WINDOW, queue: 'noise' };
}

function byHolder(holder: string): Cause {
  return { holder, allowance: 1, queue: 'noise' };
}
