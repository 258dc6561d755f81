import { connect } from 'node:net';

const CHUNK = `10000\r\n${'a'.repeat(0x1_00_00)}\r\n`;

/** The end of a connection on which a body was sent for as long as the server let it. */
export type Flood = {
  readonly answer: string;
  /** That the system took for sending: what the server's process read, and what was in buffers on the way to it. */
  readonly sentBytes: number;
  readonly closedAfterMs: number;
};

/** Sends a head to a port of this machine, then chunks without end, and waits until the server closes the connection. */
export async function flood(port: number, head: string): Promise<Flood> {
  const socket = connect(port, '127.0.0.1');
  const startedAtMs = performance.now();
  let answer = '';
  socket.on('data', (data: Buffer) => {
    answer += data.toString('latin1');
  });
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
  });
  const send = (): void => {
    let isMore = true;
    while (isMore && socket.writable) isMore = socket.write(CHUNK);
  };
  socket.on('drain', send);
  socket.write(head);
  send();
  await closed;
  return { answer, sentBytes: socket.bytesWritten, closedAfterMs: performance.now() - startedAtMs };
}
