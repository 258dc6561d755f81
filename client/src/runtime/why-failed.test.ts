import { expect, it } from 'vitest';
import { explainPasskeyError } from '../platform/passkey-ceremony.ts';
import { whyFailed } from './why-failed.ts';

it.each([
  ['NotAllowedError', 'cancelled', 'cancelled'],
  ['AbortError', 'cancelled', 'cancelled'],
  ['NotSupportedError', 'unavailable', 'unavailable'],
  ['ConstraintError', 'unavailable', 'unavailable'],
  ['InvalidStateError', 'failed', 'already-registered'],
  ['SecurityError', 'failed', 'not-allowed-here'],
  ['UnknownError', 'failed', 'failed'],
])('%s means %s in the reauthentication, and %s for an app that asked for a passkey', (name, inChain, ofCeremony) => {
  const error = new DOMException('no', name);
  expect([whyFailed(error), explainPasskeyError(error)]).toEqual([inChain, ofCeremony]);
});
