// The clients: each on a token chain and a connection of its own, one request at a time, the next one with the token that
// came back. They speak HTTP/1.1 over plain sockets: node:http's client takes more time for a request than the faster of the
// servers, and on a small machine would measure itself.
import { connect, type Socket } from 'node:net';

export type VirtualClient = { refreshToken: string };

export type Load = { readonly refreshes: number; readonly seconds: number; readonly latenciesMs: readonly number[] };

/**
 * Lets every client refresh as fast as it is answered.
 *
 * @throws Error at the first answer that is not 200 with a new refresh token: a wrong answer would be a fast one
 */
export async function runLoad(port: number, clients: readonly VirtualClient[], durationMs: number): Promise<Load> {
  const latenciesMs: number[] = [];
  const startedAtMs = performance.now();
  const endsAtMs = startedAtMs + durationMs;
  await Promise.all(
    clients.map(async (client) => {
      const connection = openConnection(port);
      while (performance.now() < endsAtMs) {
        const sentAtMs = performance.now();
        client.refreshToken = readRefreshToken(await connection.post(toForm(client)), client);
        latenciesMs.push(performance.now() - sentAtMs);
      }
      connection.close();
    }),
  );
  const seconds = (performance.now() - startedAtMs) / 1_000;
  return { refreshes: latenciesMs.length, seconds, latenciesMs: latenciesMs.toSorted((a, b) => a - b) };
}

function toForm({ refreshToken }: VirtualClient): string {
  return `grant_type=refresh_token&client_id=app&refresh_token=${encodeURIComponent(refreshToken)}`;
}

function readRefreshToken({ status, body }: Answer, { refreshToken }: VirtualClient): string {
  const next = status === 200 ? (JSON.parse(body) as { refresh_token?: string }).refresh_token : undefined;
  if (next !== undefined && next !== refreshToken) return next;
  throw new Error(`a refresh was answered ${status}: ${body.slice(0, 200)}`);
}

type Answer = { readonly status: number; readonly body: string };

type Connection = { readonly post: (form: string) => Promise<Answer>; readonly close: () => void };

const HEAD = /^HTTP\/1\.1 (\d{3}) [^]*?\r\ncontent-length: (\d+)\r\n(?:[^]*?\r\n)?\r\n/i;

/** A connection that is kept, for one request at a time. Answers are ASCII: tokens and JSON. */
function openConnection(port: number): Connection {
  const socket: Socket = connect({ host: '127.0.0.1', port, noDelay: true }).setEncoding('latin1');
  let received = '';
  let waiting: { readonly resolve: (answer: Answer) => void; readonly reject: (error: Error) => void } | null = null;
  socket.on('data', (chunk: string) => {
    received += chunk;
    const [head = '', status, length] = HEAD.exec(received) ?? [];
    if (length === undefined || received.length < head.length + Number(length)) return;
    const body = received.slice(head.length);
    received = '';
    waiting?.resolve({ status: Number(status), body });
  });
  const fail = (): void => waiting?.reject(new Error('a connection was closed before its answer'));
  socket.once('error', fail).once('close', fail);
  return {
    post: (form) =>
      new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        socket.write(
          'POST /token HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n' +
            `Content-Length: ${form.length}\r\n\r\n${form}`,
        );
      }),
    close: () => socket.destroy(),
  };
}
