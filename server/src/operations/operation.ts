import type { SigningKeys } from '../keys/signing-keys.ts';
import type { Metrics } from './metrics.ts';

/** Whether this node should be sent requests, and what keeps it from them. */
export type Readiness = {
  readonly isReady: boolean;
  readonly checks: {
    readonly database: 'ok' | 'failed';
    readonly signing_keys: 'ok' | 'stale';
    readonly node: 'ok' | 'retiring';
  };
};

/** What the endpoints of operation speak for. */
export type Operation = {
  readonly metrics: Metrics;
  readonly readiness: () => Promise<Readiness>;
  /** From now on not ready; requests go on being answered. */
  readonly retire: () => void;
  /** Bearer token that opens `/metrics`; null opens it to this host alone. */
  readonly metricsToken: string | null;
};

export type OperationParts = {
  readonly metrics: Metrics;
  /**
   * Asks the database whether it is there, on a connection of its own: work that waits for others must not make the node look
   * broken.
   */
  readonly probe: () => Promise<unknown>;
  readonly signingKeys: Pick<SigningKeys, 'ageMs'>;
  /** Keys older than this could miss the change to the next one. */
  readonly maxKeyAgeMs: number;
  readonly metricsToken: string | null;
};

/** A database that takes longer than this to say that it is there, is not ready. */
const DATABASE_WAIT_MS = 2_000;
/** However often anybody asks, the database is asked once in this time. */
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
