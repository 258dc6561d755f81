import { addressKeyOf } from '../kernel/client-address.ts';
import type { EventsCounted, HoldfastEvent } from '../kernel/events.ts';

/** Keeps the events that strangers and signed-in users can cause without end from filling the audit log. */
export type NoiseGate = {
  /** Takes an event. @returns the queue that it is kept in as it is, or `counted`: the window's sum stands for it */
  readonly admit: (event: HoldfastEvent) => 'news' | 'noise' | 'counted';
  /** True once the window has begun: an event that can be repeated at will has come in. */
  readonly isOpen: () => boolean;
  /** Ends the window. @returns one event for each kind of which some were counted */
  readonly closeWindow: () => readonly EventsCounted[];
};

/** Events of one kind of noise that are kept as they are in one window. */
const KEPT_PER_WINDOW = 10;
/** Changes of one kind to the credentials of one user that are kept as they are in one window: others hide none of them. */
const CHANGES_PER_WINDOW = 3;
/** Networks that one window tells apart. */
const NETWORKS_PER_WINDOW = 1_000;

/** The events of one kind in one window. */
type Tally = {
  kept: number;
  counted: number;
  readonly sinceMs: number;
  /** How many events of a session or user were kept. */
  readonly holders: Map<string, number>;
  /** Networks of the events that were counted. */
  readonly networks: Set<string>;
};

/**
 * Starts without any. A window keeps so many events of a kind, and so many of one session or user; it counts the others, so
 * its memory and what it gives on are bounded, whatever arrives.
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

/** The session or user whose holder can cause an event at will, as often as requests are let through. */
type Cause = {
  /** {@link ANYBODY} when a stranger can. */
  readonly holder: string;
  /** Events of this holder that a window keeps. */
  readonly allowance: number;
  /** `news`: what the allowance lets through is kept, whatever others do. `noise`: all holders share {@link KEPT_PER_WINDOW}. */
  readonly queue: 'news' | 'noise';
};

/** Null: nobody can cause the event without end, so that all of them are kept. */
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
      // An administrator's changes are all kept. By kind, so that nobody hides a new password behind renamed passkeys.
      if (event.sid === null) return null;
      return { holder: `${event.change} ${event.sub}`, allowance: CHANGES_PER_WINDOW, queue: 'news' };
    default:
      return null;
  }
}

function byStrangers(): Cause {
  return { holder: ANYBODY, allowance: KEPT_PER_WINDOW, queue: 'noise' };
}

function byHolder(holder: string): Cause {
  return { holder, allowance: 1, queue: 'noise' };
}
