// Developers attach timelines to bug reports, so a timeline must not contain a secret.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createWorld, json } from '../testing/world.ts';
import { readEntry } from './entry.ts';
import { createTimeline } from './index.ts';
import { readRecording, writeRecording } from './recording.ts';

const entry = { tab: 'tab1', seq: 1, atMs: 5, observation: { type: 'refresh.started', attempt: 1, cause: 'expired' } };

describe('a timeline', () => {
  it('records the observations of a session without any secret', async () => {
    const { time, server, openTab } = createWorld();
    const timeline = createTimeline();
    const { auth } = openTab({ onEvent: timeline.record });
    await auth.ready();
    await auth.signIn({ username: 'ada', password: 'secret' });
    server.answers.push('network-error', json(429, { error: 'temporarily_unavailable', reason: 'wait' }));
    await time.advance(900_000);
    server.answers.push(json(400, { error: 'invalid_grant', reason: 'reuse' }));
    await time.advance(900_000);
    await auth.signIn({ username: 'ada', password: 'secret' });
    await auth.signOut();
    const entries = timeline.getEntries();
    expect(entries.map(({ observation }) => observation.type)).toEqual(
      expect.arrayContaining([
        'signed-in',
        'refresh.locked',
        'refresh.failed',
        'refresh.succeeded',
        'refresh.rejected',
      ]),
    );
    expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, index) => index + 1));
    expect(writeRecording(entries, 0)).not.toMatch(/access-\d|refresh-\d|secret|verifier|ada|session-1|user-1/u);
  });

  it('keeps the newest entries, returns the same list until one is added, and calls its listeners', () => {
    const timeline = createTimeline({ entriesMax: 2 });
    let calls = 0;
    const stop = timeline.subscribe(() => calls++);
    for (const tokenNumber of [1, 2, 3]) timeline.record({ type: 'token.refused', tokenNumber });
    expect(timeline.getEntries().map(({ seq }) => seq)).toEqual([2, 3]);
    expect(timeline.getEntries()).toBe(timeline.getEntries());
    timeline.clear();
    expect(timeline.getEntries()).toEqual([]);
    expect(calls).toBe(4);
    stop();
  });
});

describe('a timeline that was disposed of', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('records nothing, and sends nothing on its closed channel', async () => {
    vi.stubGlobal('document', {});
    const posted = vi.spyOn(BroadcastChannel.prototype, 'postMessage');
    const timeline = createTimeline();
    timeline.record({ type: 'token.refused', tokenNumber: 1 });
    const calls = posted.mock.calls.length;
    timeline.dispose();
    timeline.record({ type: 'token.refused', tokenNumber: 2 });
    await Promise.resolve();
    expect(timeline.getEntries()).toHaveLength(1);
    expect(posted.mock.calls.length).toBe(calls);
    posted.mockRestore();
  });
});

describe('an entry of another tab or of a file', () => {
  it('is accepted if it is valid', () => {
    expect(readEntry(entry)).toEqual(entry);
  });

  it.each([
    ['nothing', null],
    ['a list', [entry]],
    ['a token as its tab', { ...entry, tab: 'eyJhbGciOiJFUzI1NiJ9.e30.c2ln' }],
    ['a token in the observation', { ...entry, observation: { ...entry.observation, cause: 'hfrt_AAAAAAAA' } }],
    ['a token under another name', { ...entry, observation: { ...entry.observation, note: 'eyJhbGciOiJFUzI1NiJ9' } }],
    ['something nested', { ...entry, observation: { ...entry.observation, more: { token: 'a' } } }],
    ['a word that is too long', { ...entry, observation: { ...entry.observation, cause: 'a'.repeat(41) } }],
    ['no number as its time', { ...entry, atMs: '5' }],
  ])('is refused with %s', (_case, value) => {
    expect(readEntry(value)).toBeNull();
  });
});

describe('a recording', () => {
  it('is read back as it was written', () => {
    const written = readEntry(entry);
    expect(written && readRecording(writeRecording([written], 0))).toEqual({ entries: [entry], dropped: 0 });
  });

  it('drops and counts invalid entries', () => {
    const text = JSON.stringify({ format: 'holdfast-timeline', version: 1, entries: [entry, { tab: 'x' }] });
    expect(readRecording(text)).toEqual({ entries: [entry], dropped: 1 });
  });

  it.each([
    ['<html>', 'no JSON'],
    ['null', 'no recording'],
    ['{"format":"har"}', 'no recording'],
    ['{"format":"holdfast-timeline","version":2,"entries":[]}', 'version 2'],
  ])('%s is refused with a reason', (text, why) => {
    expect(readRecording(text)).toMatchObject({ entries: null, why: expect.stringContaining(why) as string });
  });
});
