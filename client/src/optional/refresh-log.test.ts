import { describe, expect, it } from 'vitest';
import { createWorld, json, type Tab, type World } from '../testing/world.ts';
import { createRefreshLog } from './refresh-log.ts';

/** A signed-in tab whose log starts after the sign-in. */
async function setUp(): Promise<{ world: World; tab: Tab; lines: string[] }> {
  const world = createWorld();
  const tab = await world.openSignedInTab();
  const lines: string[] = [];
  tab.auth.observe(
    createRefreshLog(
      (line) => lines.push(line),
      () => world.time.clock.now().monotonicMs,
    ),
  );
  return { world, tab, lines };
}

/** Replaces the numbers of attempts and requests, which the machine assigns. */
const withoutNumbers = (lines: readonly string[]): string[] =>
  lines.map((line) => line.replace(/^refresh \d+/u, 'refresh N').replaceAll(/\(\d+(?:, \d+)*/gu, '(N'));

const expire = async (world: World): Promise<void> => {
  world.server.answers.push('network-error');
  await world.time.advance(16 * 60_000);
};

describe('the refresh log', () => {
  it('shows a refresh in one line: cause, duration, rotation and waiting requests', async () => {
    const { world, tab, lines } = await setUp();
    world.server.delayMs = 200;
    await world.time.advance(16 * 60_000);
    expect(withoutNumbers(lines)).toEqual([
      'refresh N (proactive) succeeded in 200 ms, refresh token rotated, joined by no request',
    ]);
    lines.length = 0;
    tab.auth.extend();
    await world.time.advance(1_000);
    expect(withoutNumbers(lines)).toEqual([
      'refresh N (extend) succeeded in 200 ms, refresh token rotated, joined by no request',
    ]);
  });

  it('shows how many requests waited, and the first three', () => {
    const lines: string[] = [];
    const log = createRefreshLog((line) => lines.push(line));
    log({ type: 'refresh.started', attempt: 7, cause: 'expired' });
    for (let caller = 11; caller <= 31; caller++) log({ type: 'refresh.joined', attempt: 7, caller });
    log({ type: 'refresh.succeeded', attempt: 7, durationMs: 84.4, isRotated: false });
    log({ type: 'refresh.started', attempt: 8, cause: 'refused' });
    log({ type: 'refresh.joined', attempt: 8, caller: 40 });
    log({ type: 'refresh.succeeded', attempt: 8, durationMs: 3, isRotated: true });
    expect(lines).toEqual([
      'refresh 7 (expired) succeeded in 84 ms, refresh token kept, joined by 21 requests (11, 12, 13, ...)',
      'refresh 8 (refused) succeeded in 3 ms, refresh token rotated, joined by 1 request (40)',
    ]);
  });

  it('shows why a refresh failed and when the next try is', async () => {
    const { world, lines } = await setUp();
    world.server.answers.push('silence', json(503, {}, { 'retry-after': '20' }));
    await world.time.advance(12 * 60_000);
    expect(withoutNumbers(lines)).toEqual([
      'refresh N (proactive) failed after 15000 ms: timeout, retry in 250 ms, joined by no request',
      expect.stringMatching(
        /^refresh N \(proactive\) failed after 0 ms: [a-z-]+, retry in 20250 ms, joined by no request$/u,
      ),
      'refresh N (proactive) succeeded in 0 ms, refresh token rotated, joined by no request',
    ]);
  });

  it('shows why a refresh was rejected, and the stage of the reauthentication', async () => {
    const { world, lines } = await setUp();
    world.server.answers.push(json(400, { error: 'invalid_grant', reason: 'reuse' }));
    await world.time.advance(11 * 60_000);
    expect(withoutNumbers(lines)).toEqual([
      'refresh N (proactive) was rejected after 0 ms: reuse-detected, joined by no request',
      'reauthentication required by password: reuse-detected',
    ]);
  });

  it('shows a refresh that adopted another tab’s token once', async () => {
    const { world, tab, lines } = await setUp();
    const other = world.openTab();
    await other.auth.ready();
    await world.time.advance(16 * 60_000);
    const refreshes = [...tab.seen('refresh.succeeded'), ...other.seen('refresh.succeeded')];
    expect(refreshes).toHaveLength(1);
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.filter((line) => /stored|succeeded/u.test(line))).toHaveLength(1);
  });

  it('shows the end of a refresh that a sign-out interrupted', async () => {
    const { world, tab, lines } = await setUp();
    world.server.answers.push('silence');
    tab.auth.extend();
    await world.time.advance(2_000);
    await tab.auth.signOut();
    expect(withoutNumbers(lines)).toEqual([
      'refresh N (extend) was given up after 2000 ms: signed out: user, joined by no request',
      'signed out: user',
    ]);
  });

  it('shows an unwanted second refresh as a second line', () => {
    const lines: string[] = [];
    const log = createRefreshLog(
      (line) => lines.push(line),
      () => 0,
    );
    log({ type: 'refresh.started', attempt: 1, cause: 'expired' });
    log({ type: 'refresh.started', attempt: 2, cause: 'expired' });
    log({ type: 'refresh.succeeded', attempt: 2, durationMs: 1, isRotated: true });
    expect(lines).toEqual([
      'refresh 1 (expired) was given up after 0 ms: another began, joined by no request',
      'refresh 2 (expired) succeeded in 1 ms, refresh token rotated, joined by no request',
    ]);
  });

  it('shows the end of a refresh that started before the log', () => {
    const lines: string[] = [];
    createRefreshLog((line) => lines.push(line))({
      type: 'refresh.failed',
      attempt: 5,
      cause: 'network',
      retryInMs: 9,
    });
    expect(lines).toEqual(['refresh 5 failed after 0 ms: network, retry in 9 ms, joined by no request']);
  });

  it('shows each event of the session in one line', () => {
    const lines: string[] = [];
    const log = createRefreshLog((line) => lines.push(line));
    log({ type: 'signed-in' });
    log({ type: 'session.expiring', inMs: 300_000 });
    log({ type: 'session.adopted', from: 'storage' });
    log({ type: 'vault.unavailable' });
    log({ type: 'reauthentication.failed', stage: 'passkey', why: 'cancelled' });
    log({ type: 'request.parked', caller: 1, parked: 1 });
    log({ type: 'token.refused', tokenNumber: 1 });
    expect(lines).toEqual([
      'signed in',
      'session expires in 300 s',
      'session taken over as another tab or process had stored it',
      'storage is unavailable',
      'reauthentication by passkey did not help: cancelled',
    ]);
  });

  it('contains no token', async () => {
    const { world, tab, lines } = await setUp();
    await expire(world);
    await tab.auth.signOut();
    expect(lines.length).toBeGreaterThan(2);
    expect(lines.join('\n')).not.toMatch(/access-\d|refresh-\d|verifier|secret/u);
  });
});
