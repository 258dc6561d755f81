import { afterEach, describe, expect, test, vi } from 'vitest';
import { followRevocations, type RevocationFollower } from './revocation-follower.ts';

type Asked = {
  readonly after: string | null;
  readonly wait: string | null;
  readonly authorization: string | null;
};

const FUTURE = Math.floor(Date.now() / 1_000) + 900;
const followers: RevocationFollower[] = [];

afterEach(() => {
  for (const follower of followers.splice(0)) follower.close();
});

/** Follows a feed that returns the listed answers in order and then holds the request open. */
function follow(answers: readonly (object | Error)[]): {
  readonly follower: RevocationFollower;
  readonly asked: Asked[];
  readonly failures: Error[];
} {
  const asked: Asked[] = [];
  const failures: Error[] = [];
  const waiting = [...answers];
  const follower = followRevocations({
    issuer: 'https://id.example',
    id: 'notes api',
    secret: 'a:secret',
    onFailure: (failure) => failures.push(failure),
    fetch: async (_url, { headers, body, signal }) => {
      const form = body instanceof URLSearchParams ? body : new URLSearchParams();
      asked.push({
        after: form.get('after'),
        wait: form.get('wait'),
        authorization: new Headers(headers).get('authorization'),
      });
      const answer = waiting.shift();
      if (answer instanceof Error) throw answer;
      if (answer !== undefined) return Response.json(answer);
      return new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(new Error('aborted'))));
    },
  });
  followers.push(follower);
  return { follower, asked, failures };
}

test('reads all relevant endings before it is ready, then waits for news from its cursor', async () => {
  const { follower, asked } = follow([
    { revoked: [{ sid: 'a', exp: FUTURE }], cursor: '1', more: true },
    { revoked: [{ sid: 'b', exp: FUTURE }], cursor: '2', more: false },
    { revoked: [{ sid: 'c', exp: FUTURE }], cursor: '3', more: false },
  ]);
  expect(follower.ageSeconds()).toBe(Infinity);
  await follower.ready;
  expect(['a', 'b'].map(follower.isRevoked)).toEqual([true, true]);
  await vi.waitFor(() => expect(asked).toHaveLength(4));
  expect(['c', 'd'].map(follower.isRevoked)).toEqual([true, false]);
  expect(follower.ageSeconds()).toBeLessThan(30);
  expect(asked.map(({ after, wait }) => [after, wait])).toEqual([
    [null, null],
    ['1', '25'],
    ['2', '25'],
    ['3', '25'],
  ]);
  // RFC 6749 §2.3.1: id and secret are form-encoded first.
  expect(asked[0]?.authorization).toBe(`Basic ${Buffer.from('notes%20api:a%3Asecret').toString('base64')}`);
});

test('forgets a session once its last token has expired', async () => {
  const { follower, asked } = follow([
    {
      revoked: [
        { sid: 'old', exp: FUTURE - 2_000 },
        { sid: 'new', exp: FUTURE },
      ],
      cursor: '1',
      more: false,
    },
  ]);
  await vi.waitFor(() => expect(asked).toHaveLength(2));
  expect(['old', 'new'].map(follower.isRevoked)).toEqual([false, true]);
});

describe('a feed that cannot be read', () => {
  test('costs no more memory the longer it cannot be read: a pause that is over leaves no listener', async () => {
    const added = vi.spyOn(AbortSignal.prototype, 'addEventListener');
    const removed = vi.spyOn(AbortSignal.prototype, 'removeEventListener');
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const { failures } = follow(Array.from({ length: 20 }, () => new Error('refused')));
      while (failures.length < 20) await vi.advanceTimersByTimeAsync(30_000);
      await vi.advanceTimersByTimeAsync(30_000);
      const pauses = (calls: readonly (readonly unknown[])[]): number =>
        calls.filter(([type]) => type === 'abort').length;
      // The request that is under way listens too.
      expect(pauses(added.mock.calls) - pauses(removed.mock.calls)).toBeLessThanOrEqual(2);
    } finally {
      vi.useRealTimers();
      vi.restoreAllMocks();
    }
  });

  test('is read again from the beginning, and known endings stay known', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const { follower, asked, failures } = follow([
        { revoked: [{ sid: 'a', exp: FUTURE }], cursor: '1', more: false },
        new TypeError('fetch failed'),
        { revoked: 'nonsense', cursor: '2' },
        { revoked: [{ sid: 7 }], cursor: '2' },
        { revoked: [{ sid: 'b', exp: FUTURE }], cursor: '2', more: false },
      ]);
      await follower.ready;
      await vi.waitFor(async () => {
        await vi.advanceTimersByTimeAsync(5_000);
        expect(asked).toHaveLength(6);
      });
      expect(asked.map(({ after }) => after)).toEqual([null, '1', null, null, null, '2']);
      expect(failures).toHaveLength(3);
      expect(['a', 'b'].map(follower.isRevoked)).toEqual([true, true]);
    } finally {
      vi.useRealTimers();
      vi.restoreAllMocks();
    }
  });
});

test('names the wrong option', () => {
  expect(() => followRevocations({ issuer: 'http://id.example', id: 'x', secret: 'y' })).toThrow(/options\.issuer/);
});
