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

/** Numbers of attempts and callers are the machine's own; a log is read for what is around them. */
const withoutNumbers = (lines: readonly string[]): string[] =>
  lines.map((line) => line.replace(/^refresh \d+/u, 'refresh N').replaceAll(/\(\d+(?:, \d+)*/gu, '(N'));

const expire = async (world: World): Promise<void> => {
  world.server.answers.push('network-error');
  await world.time.advance(16 * 60_000);
};

describe('the log of refreshes tells who refreshed, when and why', () => {
  it('a refresh in one line: cause, duration, rotation and who waited', async () => {
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

  it('names the first of many who waited, and how many there were', () => {
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

  it('a failure says why and when the next try is', async () => {
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

  it('a rejection says why, and what the user is asked for', async () => {
    const { world, lines } = await setUp();
    world.server.answers.push(json(400, { error: 'invalid_grant', reason: 'reuse' }));
    await world.time.advance(11 * 60_000);
    expect(withoutNumbers(lines)).toEqual([
      'refresh N (proactive) was rejected after 0 ms: reuse-detected, joined by no request',
      'reauthentication required by password: reuse-detected',
    ]);
  });

  it('a refresh that found another tab’s token says so, once', async () => {
    const { world, tab, lines } = await setUp();
    const other = world.openTab();
    await other.auth.ready();
    await world.time.advance(16 * 60_000);
    const refreshes = [...tab.seen('refresh.succeeded'), ...other.seen('refresh.succeeded')];
    expect(refreshes).toHaveLength(1);
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.filter((line) => /stored|succeeded/u.test(line))).toHaveLength(1);
  });

  it('no refresh is left untold: signing out in the middle ends it in the log', async () => {
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

  it('a second refresh where there should be one shows as two lines', () => {
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

  it('begun in the middle of a refresh, it tells what it knows', () => {
    const lines: string[] = [];
    createRefreshLog((line) => lines.push(line))({
      type: 'refresh.failed',
      attempt: 5,
      cause: 'network',
      retryInMs: 9,
    });
    expect(lines).toEqual(['refresh 5 failed after 0 ms: network, retry in 9 ms, joined by no request']);
  });

  it('the session’s own events, one line each', () => {
    const lines: string[] = [];
    const log = createRefreshLog((line) => lines.push(line));
    log({ type: 'signed-in' });
    log({ type: 'session.expiring', inMs: 300_000 });
    log({ type: 'session.adopted', from: 'storage' });
    log({ type: 'vault.unavailable' });
    log({ type: 'reauthentication.failed', stage: 'biometric', why: 'cancelled' });
    log({ type: 'request.parked', caller: 1, parked: 1 });
    log({ type: 'token.refused', generation: 1 });
    expect(lines).toEqual([
      'signed in',
      'session expires in 300 s',
      'session taken over as another tab or process had stored it',
      'storage is unavailable',
      'reauthentication by biometric did not help: cancelled',
    ]);
  });

  it('no line holds a token', async () => {
    const { world, tab, lines } = await setUp();
    await expire(world);
    await tab.auth.signOut();
    expect(lines.length).toBeGreaterThan(2);
    expect(lines.join('\n')).not.toMatch(/access-\d|refresh-\d|verifier|secret/u);
  });
});
