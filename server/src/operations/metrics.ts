import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { HoldfastFact, ProtocolReason } from '../kernel/events.ts';
import type { SigningKeys } from '../keys/signing-keys.ts';

/**
 * Counts of this node in Prometheus' text format. Labels come from closed sets and never hold an id, an address or
 * input.
 */
export type Metrics = {
  readonly contentType: string;
  /** Returns every metric as the body of `/metrics`. */
  readonly expose: () => Promise<string>;
  readonly observe: (fact: HoldfastFact) => void;
  /** @param route the registered path of the endpoint, never the path as sent */
  readonly observeRequest: (route: string, status: number, durationMs: number) => void;
  /** @param size number of refreshes that one statement served */
  readonly observeBatch: (size: number) => void;
};

/** Number of connections in a pool, and of callers that wait for one. */
export type PoolCounts = {
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
};

/** The counted pools, by name. */
export type CountedPools = Readonly<Record<'rotations' | 'durable', PoolCounts>>;

export type MetricsParts = {
  readonly pools: CountedPools;
  readonly signingKeys: Pick<SigningKeys, 'ageMs'>;
  /** Adds CPU, memory, event loop and garbage collection of the process, for a process that runs only this server. */
  readonly hasProcessMetrics: boolean;
};

/** Powers of two up to the default size of a batch. */
const BATCH_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const LATENCY_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

export function createMetrics({ pools, signingKeys, hasProcessMetrics }: MetricsParts): Metrics {
  const registry = new Registry();
  const registers = [registry];
  if (hasProcessMetrics) collectDefaultMetrics({ register: registry });
  const requests = new Counter({
    name: 'holdfast_http_requests_total',
    help: 'Requests answered, by endpoint and status',
    labelNames: ['route', 'status'],
    registers,
  });
  const latencies = new Histogram({
    name: 'holdfast_http_request_duration_seconds',
    help: 'Time from a whole request to its answer, by endpoint',
    labelNames: ['route'],
    buckets: LATENCY_BUCKETS_SECONDS,
    registers,
  });
  const batches = new Histogram({
    name: 'holdfast_rotation_batch_size',
    help: 'Refreshes that one statement served',
    buckets: BATCH_BUCKETS,
    registers,
  });
  registerPools(pools, registry);
  registry.registerMetric(
    new Gauge({
      name: 'holdfast_signing_keys_age_seconds',
      help: 'Time since this node last read the signing keys',
      registers: [],
      collect() {
        this.set(signingKeys.ageMs() / 1_000);
      },
    }),
  );
  return {
    contentType: registry.contentType,
    expose: () => registry.metrics(),
    observe: createFactCounters(registry),
    observeRequest: (route, status, durationMs) => {
      requests.inc({ route, status });
      latencies.observe({ route }, durationMs / 1_000);
    },
    observeBatch: (size) => batches.observe(size),
  };
}

/** Reasons with a label of their own. All others share one label, because administrators may name any reason. */
const REVOCATION_REASONS: Readonly<Record<ProtocolReason | 'administrator', true>> = {
  reuse: true,
  replaced: true,
  signed_out: true,
  discarded: true,
  limit: true,
  code_reused: true,
  user: true,
  password_changed: true,
  user_disabled: true,
  user_deleted: true,
  administrator: true,
};

function createFactCounters(registry: Registry): (fact: HoldfastFact) => void {
  const counter = (name: string, help: string, labelNames: readonly string[] = []): Counter =>
    new Counter({ name: `holdfast_${name}_total`, help, labelNames, registers: [registry] });
  const refreshes = counter('refreshes', 'Refreshes answered with tokens, by outcome of the decision', ['outcome']);
  const refusals = counter('refresh_refusals', 'Refreshes refused for good', ['error', 'reason']);
  const waits = counter('refresh_waits', 'Refreshes told to come back, because two copies met within an interval');
  const paced = counter(
    'refresh_redeliveries_paced',
    'Sessions whose refresh token was handed out again and again without being used: answers are lost. Worth an alarm',
  );
  const created = counter('sessions_created', 'Sign-ins completed');
  const revoked = counter('sessions_revoked', 'Sessions ended before their time', ['reason']);
  const kept = counter('predecessors_kept', 'First uses that could not end the earlier sessions of their device yet');
  const signIns = counter('sign_in_failures', 'Wrong passwords and unknown users');
  const rates = counter(
    'sign_in_rates_exceeded',
    'Sign-ins with the right credential that were refused, because their account signs in too often: worth an alarm',
  );
  const mismatches = counter('secret_mismatches', 'Tokens with a genuine tag and a wrong secret: worth an alarm');
  const unknownKeys = counter('unknown_server_keys', 'Tokens that name a server key this node does not have');
  const doubts = counter('database_doubts', 'Requests answered 503 because of the database');
  const abandoned = counter(
    'webhooks_abandoned',
    'Events that a webhook did not get, after as many attempts as there are',
  );
  // Start at 0, so that a rate includes the first increment.
  for (const outcome of ['rotated', 'redelivered', 'access_token_only', 'healed']) refreshes.inc({ outcome }, 0);
  revoked.inc({ reason: 'reuse' }, 0);
  return (fact) => {
    switch (fact.type) {
      case 'refresh.answered':
        return refreshes.inc({ outcome: fact.outcome });
      case 'refresh.refused':
        return refusals.inc({ error: fact.error, reason: fact.reason });
      case 'refresh.delayed':
        return waits.inc();
      case 'refresh.redelivery_paced':
        return paced.inc();
      case 'session.created':
        return created.inc();
      case 'session.revoked':
        return revoked.inc({ reason: Object.hasOwn(REVOCATION_REASONS, fact.reason) ? fact.reason : 'other' });
      case 'session.predecessors_kept':
        return kept.inc();
      case 'sign_in.failed':
        return signIns.inc();
      case 'sign_in.rate_exceeded':
        return rates.inc();
      case 'refresh.secret_mismatched':
        return mismatches.inc();
      case 'server_key.unknown':
        return unknownKeys.inc();
      case 'database.doubted':
        return doubts.inc();
      case 'webhook.abandoned':
        return abandoned.inc();
      // No counter: `observeRequest` counts requests, and no alarm watches the others.
      case 'credential.changed':
      case 'events.counted':
      case 'passkey.counter_regressed':
      case 'proof.refused':
      case 'request.answered':
      case 'sign_in.delayed':
      case 'user.changed':
        return undefined;
      default:
        return fact satisfies never;
    }
  };
}

function registerPools(pools: CountedPools, registry: Registry): void {
  const states: readonly (readonly [state: string, count: (pool: PoolCounts) => number])[] = [
    ['idle', (pool) => pool.idleCount],
    ['busy', (pool) => pool.totalCount - pool.idleCount],
    ['waited_for', (pool) => pool.waitingCount],
  ];
  registry.registerMetric(
    new Gauge({
      name: 'holdfast_database_connections',
      help: 'Connections by pool and state; waited_for counts callers without one',
      labelNames: ['pool', 'state'],
      registers: [],
      collect() {
        for (const name of ['rotations', 'durable'] as const) {
          for (const [state, count] of states) this.set({ pool: name, state }, count(pools[name]));
        }
      },
    }),
  );
}
