import { connect } from 'node:net';

const CHUNK = `10000\r\n${'a'.repeat(0x1_00_00)}\r\n`;

/** The result of sending an endless body until the server closed the connection. */
export type Flood = {
  readonly answer: string;
  /** Bytes that the system accepted: those that the server read, and those in buffers on the way. */
  readonly sentBytes: number;
  readonly closedAfterMs: number;
};

/** Sends a head to a port of this machine, then endless chunks, and waits until the server closes the connection. */
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
