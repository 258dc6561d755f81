import { useSyncExternalStore } from 'react';
import { createApiClient, createAuthService, type SessionSnapshot } from 'holdfast';
import { web } from 'holdfast/web';
import { recordObservation } from '../event-log/event-log.ts';

/** The session of this page. One for the whole page, made before React starts and untouched by its renders. */
export const auth = createAuthService({
  issuer: location.origin,
  clientId: 'web',
  platform: web(),
  onEvent: recordObservation,
});

/** Requests to the demo's API that carry the session. */
export const api = createApiClient({ baseUrl: location.origin, auth });

// While developing, a changed module is replaced in place: the old session must not go on beside the new one.
import.meta.hot?.dispose(() => auth.dispose());

/** A snapshot of a session with a user. */
export type SignedInSnapshot = Extract<SessionSnapshot, { status: 'active' | 'reauth-required' }>;

const subscribe = (listener: () => void): (() => void) => auth.subscribe(listener);
const getSnapshot = (): SessionSnapshot => auth.getSnapshot();

/** The session as it is now; renders again when it changes. */
export function useSession(): SessionSnapshot {
  return useSyncExternalStore(subscribe, getSnapshot);
}
