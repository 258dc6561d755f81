import { parseObject } from '../../../client/src/core/wire.ts';
import { cookieNameOf } from '../../../server/src/http/refresh-cookies.ts';
import { THIEF, type Books } from '../checkers/ledger.ts';
import type { Ground } from '../sandbox/process.ts';
import { CLIENTS, ISSUER } from '../world/cluster.ts';
import type { Device } from '../world/device.ts';
import type { Delivered, Network } from '../world/network.ts';
import { readRefreshCopy } from '../world/refresh-copy.ts';

/** A thief who copies the store once, and uses the refresh token at any time. */
export type Thief = {
  /** Copies the store now. @returns false if there is nothing to copy, or the thief has copied it before */
  steal(): boolean;
  /** Stops using the copies. */
  stop(): void;
  /** True if the server's last answer to the thief was a token. */
  isUndetected(): boolean;
};

export type ThiefParts = Ground & { readonly books: Books; readonly device: Device; readonly network: Network };

type Loot = { readonly kind: 'cookie' | 'token'; readonly value: string };

/** Slightly longer than the rotation interval, in ms. */
const PATIENCE_MS = 61_000;

/** Number of copies that the thief keeps, newest last; he may try an older one. */
const COPIES_KEPT = 3;

export function createThief(parts: ThiefParts): Thief {
  const { scheduler, random, books, device, network } = parts;
  let copies: Loot[] = [];
  let isOver = false;
  let isAnswered = false;
  // A patient thief uses the stolen copy again and again, each time just after the interval, and ignores the tokens
  // that he receives.
  const isPatient = random.chance(0.3);
  const use = (loot: Loot): void => {
    scheduler.note(THIEF, 'uses a copy');
    network.exchange(requestOf(loot), cookieOf(loot), { address: '198.51.100.9', userAgent: THIEF }, (delivered) => {
      if (delivered) hear(delivered, loot.kind);
    });
  };
  const hear = ({ answer, setCookie }: Delivered, kind: Loot['kind']): void => {
    const json = parseObject(answer.body);
    isAnswered = answer.status === 200 && typeof json?.['access_token'] === 'string';
    if (answer.body.includes('invalid_grant')) isOver = true;
    if (!isAnswered) return;
    books.reach('thief answered');
    const value = kind === 'token' ? json?.['refresh_token'] : setCookie[0]?.split(';')[0]?.split('=')[1];
    if (typeof value === 'string' && !isPatient) copies = [...copies, { kind, value }].slice(-COPIES_KEPT);
  };
  const goOn = (): void => {
    if (isOver) return;
    const [first] = copies;
    const newest = copies.at(-1);
    if (isPatient && first) use(first);
    else if (newest) use(random.chance(0.8) ? newest : random.pick(copies));
    scheduler.after(isPatient ? PATIENCE_MS : random.wait(random.pick([5_000, 60_000, 240_000])), goOn);
  };
  return {
    steal: () => {
      const loot = device.storage.stealable();
      if (!loot || copies.length > 0) return false;
      copies = [loot];
      books.onStolen(readRefreshCopy(loot.value).sid);
      scheduler.note(THIEF, 'copies the store');
      // A patient thief lets the owner rotate first.
      scheduler.after(isPatient ? random.int(0, 120_000) : 0, goOn);
      return true;
    },
    stop: () => {
      isOver = true;
    },
    isUndetected: () => isAnswered && copies.length > 0,
  };
}

const cookieOf = ({ kind, value }: Loot): string | null =>
  kind === 'cookie' ? `${cookieNameOf(readRefreshCopy(value).sid, ISSUER)}=${value}` : null;

function requestOf({ kind, value }: Loot) {
  const fields = { client_id: kind === 'cookie' ? CLIENTS.cookie : CLIENTS.body, grant_type: 'refresh_token' };
  const body = new URLSearchParams(kind === 'cookie' ? fields : { ...fields, refresh_token: value });
  return {
    url: `${ISSUER}/token`,
    method: 'POST' as const,
    headers: { 'content-type': 'application/x-www-form-urlencoded', 'holdfast-request': '1' },
    body: body.toString(),
  };
}
