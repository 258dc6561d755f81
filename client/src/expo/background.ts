import type { AuthService } from '../auth-service.ts';

/**
 * How a refresh in the background went.
 *
 * | value | what it means |
 * | --- | --- |
 * | `refreshed` | there is a new access token |
 * | `not-needed` | the one that is there is good for longer |
 * | `signed-out` | there is no session, or the user has to authenticate again: the app says so when it is opened |
 * | `unavailable` | no answer in time: the device is locked, the server is out of reach, or the system ended the task |
 */
export type BackgroundRefresh = 'refreshed' | 'not-needed' | 'signed-out' | 'unavailable';

/** What iOS gives a background task is about half a minute. */
const DEADLINE_MS = 25_000;

/**
 * Refreshes the session while the app is away, if it is due: the body of a task of `expo-background-task`. It does not count as
 * the user's activity. Needs `protection: 'after-first-unlock'`; with the others, a locked device answers `unavailable`. Never
 * rejects.
 *
 * @param options.deadlineMs how long it may take, in ms. Default 25 000
 * @param options.signal ends it early: the system's expiration of background tasks
 */
export function runBackgroundRefresh(
  auth: AuthService,
  options: { readonly deadlineMs?: number; readonly signal?: AbortSignal } = {},
): Promise<BackgroundRefresh> {
  const { deadlineMs = DEADLINE_MS, signal } = options;
  const { clock } = auth.platform;
  return new Promise((resolve) => {
    let isRefreshed = false;
    let isAsked = false;
    const finish = (outcome: BackgroundRefresh): void => {
      cancel();
      stopObserving();
      unsubscribe();
      signal?.removeEventListener('abort', giveUp);
      resolve(outcome);
    };
    const giveUp = (): void => finish('unavailable');
    const look = (): void => {
      const snapshot = auth.getSnapshot();
      if (snapshot.status === 'restoring') return;
      if (snapshot.status !== 'active') return finish('signed-out');
      if (snapshot.refreshing) return;
      if (isRefreshed) return finish('refreshed');
      if (!isAsked) {
        isAsked = true;
        // Asking makes the session look at its deadlines: its timers stood still while the app was away.
        auth.getAccessToken({ deadlineMs }).catch(() => {});
        return look();
      }
      const isUsable = (snapshot.accessExpiresAt ?? 0) > clock.now().wallMs;
      if (isUsable && snapshot.freshness !== 'offline') finish('not-needed');
    };
    const cancel = clock.wake(deadlineMs, giveUp);
    const unsubscribe = auth.subscribe(look);
    const stopObserving = auth.observe(({ type }) => {
      if (type === 'refresh.succeeded' || type === 'refresh.adopted') isRefreshed = true;
    });
    signal?.addEventListener('abort', giveUp);
    if (signal?.aborted === true) giveUp();
    else look();
  });
}
