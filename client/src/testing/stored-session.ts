import type { StoredSession } from '../core/ports.ts';

/** Creates a session with a value in every field. */
export const storedSession = (change: Partial<StoredSession> = {}): StoredSession => ({
  sid: '6f1c1f9e-0000-4000-8000-000000000001',
  sub: 'ada',
  refreshToken: `refresh-${'x'.repeat(200)}`,
  scope: 'notes:read notes:write',
  startedAtMs: 1_700_000_000_000,
  expiresAtMs: 1_700_086_400_000,
  access: { value: 'access-é-字', tokenType: 'Bearer', expiresAtMs: 1_700_000_900_000, lifetimeMs: 900_000 },
  ...change,
});
