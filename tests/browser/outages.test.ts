// Outages of 5, 20 and 30 s in real time: the real server behind a TCP proxy that cuts it off, and requests that are parked
// in the real Node client and in real Chromium. Users lose the length of the outage, and little more.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createAuthService, type AuthService } from 'holdfast';
import { node } from 'holdfast/node';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, it, type TestContext } from 'vitest';
import { openGate, type CutKind, type Gate } from '../tcp-gate.ts';
import { launchProfiles, type Profiles } from './profiles.ts';
import { listenOnLoopback, openStage, user } from './stage.ts';
import { inContext, openSignedInTabs } from './tabs.ts';

/** How much longer than the outage a parked request may wait; 15 s more where an attempt has to time out first. */
const LAG_MS: Readonly<Record<CutKind, number>> = {
  'refuses connections': 10_000,
  'answers 503': 10_000,
  'answers nothing': 25_000,
};
const LIFETIME_MS = 3_000;
const policy = { accessTokenLifetimeSeconds: LIFETIME_MS / 1_000, clockToleranceSeconds: 0 };

let profiles: Profiles;
let folder: string;
let lastName = 0;

beforeAll(async () => {
  profiles = await launchProfiles();
  folder = await mkdtemp(path.join(tmpdir(), 'holdfast-outages-'));
});
afterAll(async () => {
  await profiles?.closeAll();
  await profiles?.end();
  await rm(folder, { recursive: true, force: true });
});

const sleep = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

/** The real server behind a gate of its own. */
async function openGatedStage() {
  let gate: Gate | undefined;
  const stage = await openStage(policy, async (server) => {
    await listenOnLoopback(server);
    gate = await openGate(server);
    return gate.url;
  });
  if (!gate) throw new Error('the stage was not published');
  return { stage, gate };
}

async function signInOnNode(issuer: string): Promise<AuthService> {
  const platform = node({ name: `outage-${++lastName}`, folder });
  const auth = createAuthService({ issuer, clientId: 'bearer', platform });
  await auth.signIn(user);
  return auth;
}

/** A request that is sent now. @returns its status, and when it was answered */
type Sent = Promise<{ readonly status: number | string; readonly atMs: number }>;

const timed = async (work: Promise<number | string>): Sent => ({ status: await work, atMs: performance.now() });
const sendOnNode = (auth: AuthService, issuer: string, note: string): Sent =>
  timed(auth.fetch(`${issuer}/notes`, { method: 'POST', body: note }).then(({ status }) => status));
const sendInTab = (tab: Page, note: string): Sent => timed(tab.evaluate((note) => scene.write(note), note));

const parkedIn = (tab: Page): Promise<number> =>
  tab.evaluate(() => {
    const snapshot = scene.auth.getSnapshot();
    return 'parkedRequests' in snapshot ? snapshot.parkedRequests : 0;
  });

/** Plays one outage. */
async function playOutage(kind: CutKind, seconds: number, { expect, onTestFinished }: TestContext): Promise<void> {
  const { stage, gate } = await openGatedStage();
  onTestFinished(async () => {
    await gate.close();
    await stage.close();
  });
  const auth = await signInOnNode(stage.url);
  onTestFinished(() => auth.dispose());
  const [tab] = await openSignedInTabs(inContext(await profiles.open()), stage, 1);
  const cutAtMs = performance.now();
  await gate.cut(kind);
  await sleep(LIFETIME_MS + 500);
  const notes = ['node 0', 'node 1', 'tab 0', 'tab 1'];
  const sent = Promise.all(
    notes.map((note) => (note.startsWith('node') ? sendOnNode(auth, stage.url, note) : sendInTab(tab, note))),
  );
  await expect.poll(() => parkedIn(tab)).toBe(2);
  expect(auth.getSnapshot()).toMatchObject({ status: 'active', parkedRequests: 2 });
  await sleep(seconds * 1_000 - (performance.now() - cutAtMs));
  await gate.restore();
  const overAtMs = performance.now();
  const answers = await sent;
  expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
  const lagsMs = answers.map(({ atMs }) => atMs - overAtMs);
  expect({ seconds, lagMs: Math.max(...lagsMs) }).toEqual({
    seconds,
    lagMs: expect.toSatisfy((ms: number) => ms <= LAG_MS[kind]),
  });
  expect(stage.notes.toSorted()).toEqual(notes);
  expect(stage.events.filter(({ type }) => type === 'session.revoked' || type === 'refresh.refused')).toEqual([]);
}

it.concurrent.for(Object.keys(LAG_MS) as CutKind[])(
  'a server that %s for 5, 20 and 30 s: every parked request is answered soon after, once',
  { timeout: 120_000 },
  async (kind, test) => {
    await Promise.all([5, 20, 30].map((seconds) => playOutage(kind, seconds, test)));
  },
);
