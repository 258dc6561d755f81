import { expect, test } from 'vitest';
import { formatChallenges } from './challenge.ts';

test('a challenge without parameters is its scheme', () => {
  expect(formatChallenges({ scheme: 'Bearer' })).toBe('Bearer');
  expect(formatChallenges({ scheme: 'DPoP', error: undefined })).toBe('DPoP');
});

test('several challenges share one field, in the order given', () => {
  expect(formatChallenges({ scheme: 'Basic', realm: 'holdfast' }, { scheme: 'Bearer' })).toBe(
    'Basic realm="holdfast", Bearer',
  );
  expect(formatChallenges({ scheme: 'Bearer' }, { scheme: 'DPoP', algs: ['ES256', 'EdDSA'] })).toBe(
    'Bearer, DPoP algs="ES256 EdDSA"',
  );
});

test('parameters come in one order, whatever the order of the members', () => {
  const challenge = formatChallenges({
    resourceMetadata: 'https://id.example/.well-known/oauth-protected-resource',
    reason: 'audience',
    algs: ['ES256'],
    maxAgeSeconds: 300,
    acrValues: ['aal3', 'aal2'],
    scope: ['notes', 'admin'],
    errorDescription: 'The access token is for another audience',
    error: 'invalid_token',
    realm: 'holdfast',
    scheme: 'DPoP',
  });
  expect(challenge).toBe(
    'DPoP realm="holdfast", error="invalid_token", ' +
      'error_description="The access token is for another audience", scope="notes admin", acr_values="aal3 aal2", ' +
      'max_age="300", algs="ES256", reason="audience", ' +
      'resource_metadata="https://id.example/.well-known/oauth-protected-resource"',
  );
});

test('a maximum age of zero is written', () => {
  expect(formatChallenges({ scheme: 'Bearer', maxAgeSeconds: 0 })).toBe('Bearer max_age="0"');
});

test.each([
  ['a quotation mark', 'urn:x"y', String.raw`"urn:x\"y"`],
  ['a backslash', String.raw`urn:x\y`, String.raw`"urn:x\\y"`],
  ['a line break', 'urn:x\r\nset-cookie: y', '"urn:x  set-cookie: y"'],
  ['a letter outside ASCII', 'urn:é', '"urn: "'],
])('%s in a value stays inside its quotes', (_name, value, quoted) => {
  expect(formatChallenges({ scheme: 'Bearer', acrValues: [value] })).toBe(`Bearer acr_values=${quoted}`);
});
