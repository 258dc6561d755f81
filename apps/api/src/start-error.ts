import { connect } from 'node:net';
import { HoldfastServerError, type HoldfastServerErrorCode } from '@holdfast/server';

/** The demo cannot start, and the message says what to do about it. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/** Advice for the errors of Holdfast that a start can meet. */
const mends: Partial<Record<HoldfastServerErrorCode, string>> = {
  'postgres-in-use':
    'Another run of the demo is using the data folder. Stop that one, or give this one a folder of its own:\n' +
    '  HOLDFAST_DATA=another-folder PORT=4601 npm start',
  'postgres-failed':
    'A PostgreSQL of your own can be named instead: DATABASE_URL=postgres://user:password@host/database',
  'secret-mismatch':
    'HOLDFAST_SECRET (or .data/secret) must be the secret that the database was first used with. If its data can go:\n' +
    '  rm -r .data',
  'schema-too-new': 'Get the newest release, or use another database.',
  unavailable: 'Is PostgreSQL running where DATABASE_URL says, and may its user connect?',
};

/** One message for the reader of a terminal; a stack only when the error is none that is expected. */
export function explainStartError(error: unknown): string {
  if (error instanceof StartError) return error.message;
  if (error instanceof HoldfastServerError) {
    const mend = mends[error.code];
    const reason = `${error.message}${causeCode(error)}`;
    return mend === undefined ? reason : `${reason}\n  ${mend}`;
  }
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EACCES' || code === 'EADDRINUSE') {
    return `${error instanceof Error ? error.message : ''}. Choose another port: PORT=4601 npm start`;
  }
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** The code of what is behind an error, such as ` (ECONNREFUSED)` or PostgreSQL's ` (28P01)`: never a secret, often the answer. */
function causeCode({ cause }: HoldfastServerError): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return typeof code === 'string' ? ` (${code})` : '';
}

/**
 * Looks at a port before anything is started. Both addresses of `localhost` count: a program on the other one would
 * get the browser's requests.
 *
 * @param port 0: any port will do
 * @throws StartError when it is taken
 */
export async function requireFreePort(port: number): Promise<void> {
  if (port === 0) return;
  const answers = await Promise.all(['127.0.0.1', '::1'].map((host) => isListening(port, host)));
  if (!answers.includes(true)) return;
  const another = port < 65_535 ? port + 1 : port - 1;
  throw new StartError(
    (await isHoldfast(port))
      ? `Holdfast is running at http://localhost:${port} already: open it, or stop it before you start another.`
      : `Port ${port} is taken by another program. Stop that, or choose another port: PORT=${another} npm start`,
  );
}

function isListening(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host, timeout: 500 });
    const settle = (isTaken: boolean): void => {
      socket.destroy();
      resolve(isTaken);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
    socket.once('timeout', () => settle(false));
  });
}

async function isHoldfast(port: number): Promise<boolean> {
  try {
    const url = `http://localhost:${port}/.well-known/oauth-authorization-server`;
    const response = await fetch(url, { signal: AbortSignal.timeout(500) });
    const metadata = (await response.json()) as Readonly<Record<string, unknown>> | null;
    return metadata?.['issuer'] === `http://localhost:${port}`;
  } catch {
    return false;
  }
}
