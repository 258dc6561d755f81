import type { KyInstance } from 'ky';
import type { AuthService } from '../index.ts';

/**
 * Creates a ky instance that is attached to the session. `auth.fetch` sends each of its requests, so the request waits
 * for a token, is parked during a refresh or an outage, and is sent again after a 401. Instances attached to one `auth`
 * share one refresh. ky's own retries, hooks and errors work as before. A 401 after the retry is an `HTTPError`. A
 * request that was never sent fails with a `HoldfastError`, which ky does not retry, such as `user-changed` for a retry
 * after another user signed in.
 *
 * If the instance has a `fetch` of its own (a proxy, a test's), it sends the tries and receives the platform's members
 * of `RequestInit` (`dispatcher`, `next`, `cf`).
 *
 * ky's `timeout` (default 10 s) also runs while a request is parked. Set `timeout: false` or a longer one for requests
 * that should outlast an outage or a reauthentication.
 *
 * @example
 * const api = attach(ky.create({ prefix: 'https://api.example.com' }), auth)
 * const me = await api.get('me').json()
 */
export const attach = (instance: KyInstance, auth: AuthService): KyInstance =>
  // ky passes unknown options on to `fetch`, with the same values at every retry.
  instance.extend(({ fetch }) => ({
    fetch: fetch ? (input, init) => auth.fetch(input, { ...init, fetch }) : auth.fetch,
    hooks: { init: [(options) => void Object.assign(options, { userEpoch: auth.userEpoch() })] },
  }));
