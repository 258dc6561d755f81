// Processes that want one embedded PostgreSQL at the same moment, after its owner was killed.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildServer } from './server-process.ts';

const ownership = new URL('../server/dist/postgres/embedded-ownership.js', import.meta.url).href;
let folder: string;

beforeAll(async () => {
  buildServer();
  folder = await mkdtemp(path.join(tmpdir(), 'holdfast-owners-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

type Claimant = { readonly child: ChildProcess; readonly verdict: () => Promise<string> };

/** A process that claims the folder when told to, says what came of it, and stays. */
function startClaimant(): Promise<Claimant> {
  const script = `
    const { claimOwnership } = await import(${JSON.stringify(ownership)});
    process.stdin.once('data', async () => {
      try { await claimOwnership(${JSON.stringify(folder)}); console.log('owner'); } catch (error) { console.log(error.code); }
    });
    console.log('ready');`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const nextLine = (): Promise<string> =>
    new Promise((resolve, reject) => {
      child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString().trim()));
      child.once('exit', (code) => reject(new Error(`a claimant ended with ${code}`)));
    });
  return nextLine().then(() => ({
    child,
    verdict: () => {
      const line = nextLine();
      child.stdin.write('go\n');
      return line;
    },
  }));
}

it("one of four gets it, in every round, and the killed owner of the round before is in no one's way", async () => {
  for (let round = 0; round < 6; round++) {
    const claimants = await Promise.all(Array.from({ length: 4 }, startClaimant));
    const verdicts = await Promise.all(claimants.map(({ verdict }) => verdict()));
    expect(verdicts.toSorted()).toEqual(['owner', 'postgres-in-use', 'postgres-in-use', 'postgres-in-use']);
    const ended = claimants.map(({ child }) => new Promise((resolve) => child.once('exit', resolve)));
    for (const { child } of claimants) child.kill('SIGKILL');
    await Promise.all(ended);
  }
});
