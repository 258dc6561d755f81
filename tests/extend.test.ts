import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
// "Extend", with the real client and the real server: a press moves the end of the session, however little it gains.
import { createAuthService, type AuthService } from 'holdfast';
import { node } from 'holdfast/node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startRealServer, type RealServer } from './interop/real-server.ts';

const TIMEOUT_SECONDS = 3_600;
let server: RealServer;
let auth: AuthService;
let folder: string;

beforeAll(async () => {
  server = await startRealServer({ policy: { inactivityTimeoutSeconds: TIMEOUT_SECONDS } });
  folder = mkdtempSync(path.join(tmpdir(), 'holdfast-extend-'));
  auth = createAuthService({ issuer: server.issuer, clientId: 'app', platform: node({ name: 'app', folder }) });
  await auth.ready();
  await auth.signIn({ username: 'ada@example.org', password: 'correct horse battery' });
});
afterAll(async () => {
  auth?.dispose();
  if (folder) rmSync(folder, { recursive: true, force: true });
  await server?.stop();
});

/** Seconds that the session lasts without further activity, by the database. */
async function secondsLeft(): Promise<number> {
  const text = "SELECT date_part('epoch', idle_expires_at - now())::float8 AS left FROM holdfast.sessions";
  return (await server.holdfast.database.query<{ left: number }>(text)).rows[0]?.left ?? 0;
}

it('three presses in a row move the end three times, where each gains half a minute', async () => {
  for (let press = 0; press < 3; press++) {
    await server.holdfast.database.query(
      `UPDATE holdfast.sessions SET last_used_at = now(), idle_expires_at = now() + interval '${TIMEOUT_SECONDS - 30} s'`,
    );
    const before = await secondsLeft();
    expect(before).toBeLessThan(TIMEOUT_SECONDS - 29);
    auth.extend();
    await expect.poll(secondsLeft, { timeout: 20_000 }).toBeGreaterThan(TIMEOUT_SECONDS - 20);
    await expect.poll(() => auth.getSnapshot(), { timeout: 20_000 }).toMatchObject({ isRefreshing: false });
  }
});
