// Signing out everywhere, with the real client and the real server: at once, and from a device that is offline.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createAuthService, signOutEverywhere, type AuthService } from 'holdfast';
import { node } from 'holdfast/node';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { startRealServer, type RealServer } from './interop/real-server.ts';

type Device = {
  readonly auth: AuthService;
  readonly sid: string;
  readonly folder: string;
  /** True if it reaches the server. */
  readonly setReachable: (isReachable: boolean) => void;
};

const credential = { username: 'ada@example.org', password: 'correct horse battery' };
const patience = { timeout: 20_000 };
let server: RealServer;
let devices: readonly [Device, Device, Device];
const open: AuthService[] = [];
const folders: string[] = [];

beforeAll(async () => {
  server = await startRealServer();
});
afterAll(() => server?.stop());
beforeEach(async () => {
  devices = [await signIn(), await signIn(), await signIn()];
});
afterEach(() => {
  for (const auth of open.splice(0)) auth.dispose();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** The program on a device, with what it has stored in a folder. */
function launch(folder: string): Pick<Device, 'auth' | 'setReachable'> {
  let isReachable = true;
  const platform = node({ name: 'app', folder });
  const refuse = (): Promise<never> => Promise.reject(new TypeError('fetch failed'));
  const auth = createAuthService({
    issuer: server.issuer,
    clientId: 'app',
    platform: { ...platform, transport: (...of) => (isReachable ? platform.transport(...of) : refuse()) },
    fetch: (...of) => (isReachable ? fetch(...of) : refuse()),
  });
  open.push(auth);
  return { auth, setReachable: (next) => void (isReachable = next) };
}

async function signIn(): Promise<Device> {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-everywhere-'));
  folders.push(folder);
  const device = launch(folder);
  await device.auth.ready();
  await device.auth.signIn(credential);
  return { ...device, folder, sid: sidOf(device.auth) };
}

function sidOf(auth: AuthService): string {
  const snapshot = auth.getSnapshot();
  return (snapshot.status === 'active' && snapshot.sid) || 'none';
}

/** Why each session has ended, as the audit log has it; null while it lives. */
const endings = (): Promise<readonly (string | null)[]> =>
  Promise.all(
    devices.map(async ({ sid }) => {
      const [entry] = await server.holdfast.auditLog.list({ sid, type: 'session.revoked' });
      return entry === undefined ? null : String((entry as unknown as { readonly reason: unknown }).reason);
    }),
  );
const EVERYWHERE = ['signed_out', 'user', 'user'];
const NOBODY = [null, null, null];

/** The other devices ask the server for a token and are told that their session has ended. */
async function expectRefused(...others: readonly Device[]): Promise<void> {
  for (const { auth } of others) {
    auth.extend();
    await expect
      .poll(() => auth.getSnapshot(), patience)
      .toMatchObject({ status: 'reauthentication-required', reason: 'revoked' });
  }
}

it('ends all three at once, and says why in the audit log', async () => {
  const [here, ...others] = devices;
  const bystander = await server.holdfast.users.create({ username: 'bob', password: credential.password, name: 'Bob' });
  await signOutEverywhere(here.auth);
  expect(here.auth.getSnapshot()).toEqual({ status: 'signed-out', reason: 'user' });
  await expect.poll(endings, patience).toEqual(EVERYWHERE);
  await expectRefused(...others);
  expect(await server.holdfast.auditLog.list({ sub: bystander.sub, type: 'session.revoked' })).toEqual([]);
});

it('asks for a recent authentication first, where the last one is old', async () => {
  const [here] = devices;
  await server.holdfast.database.query(
    "UPDATE holdfast.sessions SET auth_time = auth_time - interval '1 hour' WHERE id = $1",
    [here.sid],
  );
  here.auth.extend();
  await expect.poll(() => here.auth.getSnapshot(), patience).toMatchObject({ tokenNumber: 2, isRefreshing: false });
  const left = signOutEverywhere(here.auth);
  await expect.poll(() => here.auth.getSnapshot(), patience).toMatchObject({ stepUp: { maxAgeSeconds: 300 } });
  expect(await endings()).toEqual(NOBODY);
  await here.auth.signIn(credential);
  await left;
  expect(here.auth.getSnapshot()).toEqual({ status: 'signed-out', reason: 'user' });
  await expect.poll(async () => (await endings()).filter(Boolean), patience).toHaveLength(3);
});

it('offline: signed out at once, and everywhere when the network is back', async () => {
  const [here, ...others] = devices;
  here.setReachable(false);
  await signOutEverywhere(here.auth);
  expect(here.auth.getSnapshot()).toEqual({ status: 'signed-out', reason: 'user' });
  expect(await endings()).toEqual(NOBODY);
  here.setReachable(true);
  await expect.poll(endings, patience).toEqual(EVERYWHERE);
  await expectRefused(...others);
});

it('offline, and not before a relaunch: a program that was closed in a tunnel still keeps its word', async () => {
  const [here, ...others] = devices;
  here.setReachable(false);
  await signOutEverywhere(here.auth);
  await expect.poll(() => here.auth.platform.outbox.list(), patience).toMatchObject([{ everywhere: true }]);
  here.auth.dispose();
  const relaunched = launch(here.folder);
  expect(await relaunched.auth.ready()).toEqual({ status: 'signed-out', reason: 'user' });
  await expect.poll(endings, patience).toEqual(EVERYWHERE);
  await expectRefused(...others);
  await expect.poll(() => relaunched.auth.platform.outbox.list(), patience).toEqual([]);
});

it('offline, and the user signs in again when the network is back: the new session stays', async () => {
  const [here, ...others] = devices;
  here.setReachable(false);
  await signOutEverywhere(here.auth);
  await expect.poll(() => here.auth.platform.outbox.list(), patience).toMatchObject([{ everywhere: true }]);
  here.setReachable(true);
  await here.auth.signIn(credential);
  expect(await endings()).toEqual(EVERYWHERE);
  await expectRefused(...others);
  await expect.poll(() => here.auth.platform.outbox.list(), patience).toEqual([]);
  expect(await server.holdfast.auditLog.list({ sid: sidOf(here.auth), type: 'session.revoked' })).toEqual([]);
});
