import type { KyInstance } from 'ky';
import type { AuthService } from '../index.ts';

/**
 * A ky instance that carries the session: every request of it goes out by `auth.fetch`, so it waits for a token, is parked
 * while a refresh or an outage is under way, and is sent again after a 401. Instances that are attached to one `auth` share
 * one refresh. ky's own retries, hooks and errors work as before; a 401 that stays one is an `HTTPError`. What was never sent
 * fails with a `HoldfastError`, which ky does not retry: `user-changed` for a retry after somebody else signed in.
 *
 * A `fetch` of the instance's own (a proxy, a test's) sends the tries, and members of a platform's `RequestInit` (`dispatcher`,
 * `next`, `cf`) reach it.
 *
 * ky's `timeout`, 10 s unless set, also runs while a request is parked: give `timeout: false` or a longer one to requests
 * that should outlast an outage or a reauthentication.
 *
 * @example
 * const api = attach(ky.create({ prefix: 'https://api.example.com' }), auth)
 * const me = await api.get('me').json()
 */
export const attach = (instance: KyInstance, auth: AuthService): KyInstance =>
  // ky hands options that it does not know to `fetch`, at every retry the same.
  instance.extend(({ fetch }) => ({
    fetch: fetch ? (input, init) => auth.fetch(input, { ...init, fetch }) : auth.fetch,
    hooks: { init: [(options) => void Object.assign(options, { owner: auth.owner() })] },
  }));
