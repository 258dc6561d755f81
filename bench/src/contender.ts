// Common to both servers under measurement: a process of their own that says where it listens, which tokens its
// virtual clients begin with, and how much CPU it has used.
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import process from 'node:process';

/** Sent by a contender when it is ready. */
export type Ready = { readonly port: number; readonly refreshTokens: readonly string[] };

/** CPU time of the process so far, in microseconds. Sent whenever it is asked for. */
export type CpuReport = { readonly cpuMicroseconds: number };

/** The configuration that a contender gets when it starts. */
export type Assignment = { readonly databaseUrl: string; readonly clients: number; readonly connections: number };

export function readAssignment(): Assignment {
  return JSON.parse(process.argv[2] ?? '{}') as Assignment;
}

/** Listens on a free port of this host. */
export function listen(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

/** Tells the bench that the clients may begin, and answers its questions from then on. */
export function announce(ready: Ready): void {
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpuMicroseconds: user + system } satisfies CpuReport);
  });
  process.on('disconnect', () => process.exit(0));
  process.send?.(ready);
}
