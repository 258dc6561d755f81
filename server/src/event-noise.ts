import type { EventsCounted, HoldfastEvent } from './events.ts';
import { addressKeyOf } from './http/client-address.ts';

/** Keeps the events that strangers, or the holders of one session, can cause without end from filling the audit log. */
export interface NoiseGate {
  /** Takes an event. @returns whether it is kept as it is; false: it is counted */
  readonly admit: (event: HoldfastEvent) => boolean;
  /** Ends the window. @returns one event for each kind of which some were counted */
  readonly closeWindow: () => readonly EventsCounted[];
}

/** Events of one kind that are kept as they are in one window. */
const KEPT_PER_WINDOW = 10;
/** Networks that one window tells apart. */
const NETWORKS_PER_WINDOW = 1_000;

/** The events of one kind in one window. */
interface Tally {
  kept: number;
  counted: number;
  readonly sinceMs: number;
  /** Sessions and users of which an event was kept. */
  readonly holders: Set<string>;
  /** Networks of the events that were counted. */
  readonly networks: Set<string>;
}

/**
 * Starts without any. A window keeps so many events of a kind, and of one session or user one; it counts the others, so its
 * memory and what it gives on are bounded, whatever arrives.
 */
export function createNoiseGate(): NoiseGate {
  let tallies = new Map<string, Tally>();
  return {
    admit: (event) => {
      const holder = holderOf(event);
      if (holder === null) return true;
      const tally = tallies.get(event.type) ?? newTally(event.atMs);
      tallies.set(event.type, tally);
      const isNew = holder === ANYBODY || !tally.holders.has(holder);
      if (isNew && tally.kept < KEPT_PER_WINDOW) {
        tally.kept++;
        tally.holders.add(holder);
        return true;
      }
      tally.counted++;
      if ('address' in event && tally.networks.size < NETWORKS_PER_WINDOW)
        tally.networks.add(addressKeyOf(event.address ?? ''));
      return false;
    },
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
  return { kept: 0, counted: 0, sinceMs, holders: new Set(), networks: new Set() };
}

const ANYBODY = '';

/** True if a stranger can cause an event without end. */
export function isNoise(event: HoldfastEvent): boolean {
  return holderOf(event) !== null;
}

/**
 * The session or user whose holder can cause an event at will, as often as requests are let through; {@link ANYBODY} when a
 * stranger can. Null: news, of which there is no more than really happened.
 */
function holderOf(event: HoldfastEvent): string | null {
  switch (event.type) {
    case 'sign_in.failed':
      return ANYBODY;
    case 'refresh.refused':
    case 'refresh.delayed':
    case 'refresh.secret_mismatched':
      return event.sid ?? ANYBODY;
    case 'passkey.counter_regressed':
      return event.sub;
    case 'credential.changed':
      return event.change === 'passkey_renamed' ? event.sub : null;
    default:
      return null;
  }
}
