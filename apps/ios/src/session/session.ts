import { createApiClient, createAuthService } from 'holdfast';
import { recordObservation } from '../event-log/event-log.ts';
import { clientId, createPlatform, refreshInBackground } from './phone.ts';
import { serverUrl } from './server.ts';
import { hearAnswer } from './silence.ts';

/** The session of this app. One for the whole app, made before React starts and untouched by its renders. */
export const auth = createAuthService({
  issuer: serverUrl,
  clientId,
  platform: createPlatform(),
  fetch: (input, init) => hearAnswer(fetch(input, init)),
  // Both by the sheet, which waits for the user before it asks for either.
  reauthentication: ['passkey', 'password'],
  onEvent: recordObservation,
});

/** Requests to the demo's API that carry the session. */
export const api = createApiClient({ baseUrl: serverUrl, auth });

refreshInBackground(auth);
