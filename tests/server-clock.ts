// A server's clocks, set on: the process's `Date.now`, and the database's as its rows see it (decision 0025).
import type { Holdfast } from '@holdfast/server';

const wallNow = Date.now.bind(Date);
let offsetMs = 0;

/** These columns alone are compared with the database's clock. */
const TIMES = [
  'auth_time',
  'delivered_at',
  'created_at',
  'idle_expires_at',
  'expires_at',
  'revoked_at',
  'last_used_at',
];

/** Makes the clock of this process one that can be set on. A server looks the time up in `Date.now` as it is created. */
export function setServerClock(): void {
  Date.now = () => wallNow() + offsetMs;
}

/** Sets both clocks on, by `ms`. */
export async function passServerTime({ database }: Holdfast, ms: number): Promise<void> {
  offsetMs += ms;
  const moved = TIMES.map((column) => `${column} = ${column} - make_interval(secs => $1)`);
  await database.query(`UPDATE holdfast.sessions SET ${moved.join(', ')}`, [ms / 1_000]);
}

/**
 * Sets the process's clock right again. For after a test: the database's clock cannot be set, and new rows would look old to a
 * process that is ahead.
 */
export function restoreServerTime(): void {
  offsetMs = 0;
}
