import type { AuthService } from '../auth-service.ts';

/**
 * The result of a refresh in the background.
 *
 * | value | meaning |
 * | --- | --- |
 * | `refreshed` | there is a new access token |
 * | `not-needed` | the present access token is still valid |
 * | `signed-out` | there is no session, or the user must authenticate again; the app shows it when it is opened |
 * | `unavailable` | no result in time: the device is locked, the server is unreachable, or the system ended the task |
 */
export type BackgroundRefresh = 'refreshed' | 'not-needed' | 'signed-out' | 'unavailable';

/** Below the half minute or so that iOS gives a background task. */
const DEADLINE_MS = 25_000;

/**
 * Refreshes the session in the background if a refresh is due. Call it in a task of `expo-background-task`. The refresh
 * does not count as user activity. Needs `protection: 'after-first-unlock'`: with other protections the result on a
 * locked device is `unavailable`. Never rejects.
 *
 * @param options.deadlineMs the longest duration, in ms. Default 25 000
 * @param options.signal ends the refresh early, when the system expires the background task
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
      if (snapshot.isRefreshing) return;
      if (isRefreshed) return finish('refreshed');
      if (!isAsked) {
        isAsked = true;
        // A request for a token makes the session check its deadlines: its timers stop while the app is suspended.
        auth.getAccessToken({ deadlineMs }).catch(() => {});
        return look();
      }
      const isUsable = (snapshot.accessTokenExpiresAtMs ?? 0) > clock.now().wallMs;
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
