import type { Vault } from '../core/ports.ts';
import { json, type World } from './world.ts';

// Faults for a client in a simulated world, and helpers that read their outcome.

export const MINUTE = 60_000;
export const DUE = 10.5 * MINUTE;
export const ada = { username: 'ada', password: 'secret' };
export const bob = { username: 'bob', password: 'secret' };
export const asBob = (world: World): void => void (world.server.extra = { sid: 'session-2', sub: 'user-2' });
export const pass = (world: World, ms: number) =>
  new Promise<void>((resolve) => void world.time.clock.wake(ms, resolve));
export const never = <T>(): Promise<T> => new Promise<T>(() => {});
export const outcome = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'resolved',
    (error: unknown) => error,
  );
/** Watches the state of a promise without waiting for it. */
export function watch(promise: Promise<unknown>): { is: string } {
  const seen = { is: 'pending' };
  promise.then(
    () => (seen.is = 'resolved'),
    () => (seen.is = 'rejected'),
  );
  return seen;
}
export const revoked = (world: World): string[] => world.server.requests.flatMap((form) => form.get('token') ?? []);
export const used = (world: World): string[] =>
  world.server.requests.flatMap((form) => form.get('refresh_token') ?? []);

/**
 * A vault whose writes fail (`locked`) or take `slowMs` (`slow`). `once`: the next takes `slowMs`, all later ones fail.
 */
export function trouble(world: World) {
  const control = { mode: 'fine' as 'fine' | 'slow' | 'locked' | 'once', slowMs: 2_000 };
  const compareAndSwap: Vault['compareAndSwap'] = async (version, next) => {
    const { mode, slowMs } = control;
    if (mode === 'locked') throw new Error('locked');
    if (mode === 'once') control.mode = 'locked';
    if (mode !== 'fine') await pass(world, slowMs);
    return world.vault.compareAndSwap(version, next);
  };
  return Object.assign(control, { vault: { ...world.vault, compareAndSwap } });
}
/** Simulates the write of another tab's refresh: same session, next version. */
export async function refreshElsewhere(world: World): Promise<void> {
  const record = await world.vault.read();
  await world.vault.compareAndSwap(record?.version ?? 0, { session: record?.session ?? null, endedReason: null });
}

export const refreshes = (world: World) =>
  world.server.requests.filter((form) => form.get('grant_type') === 'refresh_token');
export const noNonce = () => json(400, { error: 'use_dpop_nonce' }, { 'dpop-nonce': 'n' });
