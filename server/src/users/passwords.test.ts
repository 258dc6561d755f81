import { describe, expect, test, vi } from 'vitest';
import { createPasswords } from './passwords.ts';

// Generous timeouts: load from parallel processes must not fail the tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const POLICY = { passwordConcurrency: 2, passwordQueueLimit: 3 };

describe('passwords', () => {
  test('are stored as Argon2id with their own salt', async () => {
    const passwords = await createPasswords(POLICY);
    const hashes = [await passwords.hash('correct horse'), await passwords.hash('correct horse')];
    expect(hashes[0]).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(hashes[0]).not.toBe(hashes[1]);
    expect(await passwords.verify(hashes[0] ?? '', 'correct horse')).toBe(true);
    expect(await passwords.verify(hashes[0] ?? '', 'Correct horse')).toBe(false);
  });

  test('match regardless of how the device composed their characters', async () => {
    const passwords = await createPasswords(POLICY);
    const composed = await passwords.hash('caf\u00e9 olé');
    expect(await passwords.verify(composed, 'cafe\u0301 olé')).toBe(true);
  });

  test('of an unknown user never match', async () => {
    const passwords = await createPasswords(POLICY);
    expect(await passwords.verify(null, '')).toBe(false);
    expect(await passwords.verify(null, 'correct horse')).toBe(false);
  });

  test('in a flood are refused beyond the queue, and the queue is served', async () => {
    const passwords = await createPasswords(POLICY);
    const attempts = Array.from({ length: 8 }, () => passwords.verify(null, 'guess'));
    const settled = await Promise.allSettled(attempts);
    const refused = settled.filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(3);
    expect(refused).toEqual(
      refused.map(() => ({ status: 'rejected', reason: expect.objectContaining({ code: 'overloaded' }) })),
    );
    expect(await passwords.verify(null, 'guess')).toBe(false);
  });
});
