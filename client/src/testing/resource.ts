import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as a resource server received it. */
export type SeenRequest = {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | null;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** The body as bytes. */
  readonly bytes: Buffer;
};

/** Starts a real HTTP server on loopback. `respond` answers its requests. */
export async function startResource(
  respond: (request: SeenRequest, response: ServerResponse) => void,
): Promise<{ readonly url: string; readonly seen: SeenRequest[]; close(): Promise<void> }> {
  const seen: SeenRequest[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request;
      const bytes = Buffer.concat(chunks);
      const body = bytes.toString();
      const each = { method, path, authorization: headers.authorization ?? null, headers, body, bytes };
      seen.push(each);
      respond(each, response);
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
