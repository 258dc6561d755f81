import type { SigningKeys } from '../keys/signing-keys.ts';
import type { Metrics } from './metrics.ts';

/** Readiness of this node, and the checks behind it. */
export type Readiness = {
  readonly isReady: boolean;
  readonly checks: {
    readonly database: 'ok' | 'failed';
    readonly signing_keys: 'ok' | 'stale';
    readonly node: 'ok' | 'retiring';
  };
};

/** The parts that the operation endpoints use. */
export type Operation = {
  readonly metrics: Metrics;
  readonly readiness: () => Promise<Readiness>;
  /** Makes the node not ready. Requests are still answered. */
  readonly retire: () => void;
  /** Bearer token that opens `/metrics`; null allows only requests from this host. */
  readonly metricsToken: string | null;
};

export type OperationParts = {
  readonly metrics: Metrics;
  /** Queries the database on a separate connection, so that a busy pool does not make the node look broken. */
  readonly probe: () => Promise<unknown>;
  readonly signingKeys: Pick<SigningKeys, 'ageMs'>;
  /** Older keys could miss the switch to the next signing key. */
  readonly maxKeyAgeMs: number;
  readonly metricsToken: string | null;
};

/** A database that takes longer to answer the probe is not ready. */
const DATABASE_WAIT_MS = 2_000;
/** Minimum interval between probes of the database, however often readiness is requested. */
const DATABASE_INTERVAL_MS = 1_000;

export function createOperation(parts: OperationParts): Operation {
  const { metrics, probe, signingKeys, maxKeyAgeMs, metricsToken } = parts;
  const checkDatabase = createDatabaseCheck(probe);
  let isRetiring = false;
  return {
    metrics,
    metricsToken,
    retire: () => {
      isRetiring = true;
    },
    readiness: async () => {
      const checks: Readiness['checks'] = {
        database: (await checkDatabase()) ? 'ok' : 'failed',
        signing_keys: signingKeys.ageMs() <= maxKeyAgeMs ? 'ok' : 'stale',
        node: isRetiring ? 'retiring' : 'ok',
      };
      return { isReady: Object.values(checks).every((check) => check === 'ok'), checks };
    },
  };
}

function createDatabaseCheck(probe: OperationParts['probe']): () => Promise<boolean> {
  let last: Promise<boolean> = Promise.resolve(false);
  let askedAtMs = Number.NEGATIVE_INFINITY;
  const ask = async (): Promise<boolean> => {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), DATABASE_WAIT_MS);
    });
    const answered = probe().then(
      () => true,
      () => false,
    );
    try {
      return await Promise.race([answered, tooLate]);
    } finally {
      clearTimeout(timer);
    }
  };
  return () => {
    const nowMs = performance.now();
    if (nowMs - askedAtMs < DATABASE_INTERVAL_MS) return last;
    askedAtMs = nowMs;
    last = ask();
    return last;
  };
}
