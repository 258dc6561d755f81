import { createApiClient, createAuthService } from 'holdfast';
import { createTimeline } from 'holdfast/timeline';
import { web } from 'holdfast/web';
import { recordObservation } from '../event-log/event-log.ts';
import { fetchUnlessCutOff, unlessCutOff } from '../faults/network.ts';

/** The session's events in all tabs of this page. For developers: an app that shows them to no one leaves it out. */
export const timeline = createTimeline();

/** The session of this page. One for the whole page, made before React starts and untouched by its renders. */
export const auth = createAuthService({
  issuer: location.origin,
  clientId: 'web',
  platform: unlessCutOff(web()),
  fetch: fetchUnlessCutOff,
  // Both by the sheet, which waits for the user before it asks for either.
  reauthentication: ['passkey', 'password'],
  onEvent: (observation) => {
    recordObservation(observation);
    timeline.record(observation);
  },
});

/** Requests to the demo's API that carry the session. */
export const api = createApiClient({ baseUrl: location.origin, auth });

// While developing, a changed module is replaced in place: the old session must not go on beside the new one.
import.meta.hot?.dispose(() => {
  auth.dispose();
  timeline.dispose();
});
