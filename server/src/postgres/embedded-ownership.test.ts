import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { claimOwnership } from './embedded-ownership.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-owner-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Larger than any process id that a system assigns. */
const DEAD_PID = 2 ** 31 - 1;

test('of many processes that find the owner dead only one becomes the owner, because two servers would destroy the cluster', async () => {
  for (let round = 1; round <= 20; round++) {
    await writeFile(join(folder, `owner.${100 * round}`), `${DEAD_PID} 1`);
    const claims = await Promise.allSettled(Array.from({ length: 16 }, () => claimOwnership(folder)));
    const releases = claims.flatMap((claim) => (claim.status === 'fulfilled' ? [claim.value] : []));
    expect(releases).toHaveLength(1);
    const refusals = claims.flatMap((claim) => (claim.status === 'rejected' ? [claim.reason] : []));
    expect(refusals).toEqual(Array(15).fill(expect.objectContaining({ code: 'postgres-in-use' })));
    await releases[0]?.();
  }
});

test('a released directory can be claimed again, and claim files do not accumulate', async () => {
  for (let turn = 0; turn < 5; turn++) {
    const release = await claimOwnership(folder);
    await expect(claimOwnership(folder)).rejects.toMatchObject({ code: 'postgres-in-use' });
    await release();
  }
  expect(await readdir(folder)).toHaveLength(1);
});

test('the owner can release a directory that is gone', async () => {
  const release = await claimOwnership(folder);
  await rm(folder, { recursive: true });
  await release();
});
