// A TCP proxy on the loopback: the network between clients and a real server, which can be cut.
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** How a server is out of reach: connections are refused, nothing answers, or a gateway answers 503 in its place. */
export type CutKind = 'refuses connections' | 'answers nothing' | 'answers 503';

/** The way to a server. */
export type Gate = {
  readonly url: string;
  /** Cuts every connection, and lets no other one through until `restore`. */
  readonly cut: (kind: CutKind) => Promise<void>;
  readonly restore: () => Promise<void>;
  readonly close: () => Promise<void>;
};

const UNAVAILABLE = 'HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n';
/** Below the ports that systems hand out: no program takes one while the gate does not listen. */
const PORTS = { from: 12_000, to: 30_000 };

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Listens on a free port. */
async function listenAnywhere(server: Server): Promise<number> {
  for (;;) {
    const port = PORTS.from + Math.floor(Math.random() * (PORTS.to - PORTS.from));
    const failure = await listen(server, port).catch((error: NodeJS.ErrnoException) => error);
    if (!failure) return port;
    if (failure.code !== 'EADDRINUSE') throw failure;
  }
}

/** Opens a way to the server that listens on `target`. */
export async function openGate(target: Server): Promise<Gate> {
  const sockets = new Set<Socket>();
  let cutBy: CutKind | null = null;
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
  };
  const drop = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const server = createServer({ allowHalfOpen: false }, (inward) => {
    keep(inward);
    // A connection that began in silence is never answered, also not after the outage.
    if (cutBy === 'answers nothing') return void inward.resume();
    if (cutBy === 'answers 503') return void inward.once('data', () => inward.end(UNAVAILABLE));
    const outward = connect((target.address() as AddressInfo).port, '127.0.0.1');
    keep(outward);
    inward.pipe(outward).pipe(inward);
    inward.on('close', () => outward.destroy());
    outward.on('close', () => inward.destroy());
  });
  const port = await listenAnywhere(server);
  const stop = async (): Promise<void> => {
    const stopped = new Promise<void>((resolve) => void server.close(() => resolve()));
    drop();
    await stopped;
  };
  return {
    url: `http://localhost:${port}`,
    cut: async (kind) => {
      cutBy = kind;
      if (kind === 'refuses connections') await stop();
      else drop();
    },
    restore: async () => {
      cutBy = null;
      if (!server.listening) await listen(server, port);
    },
    close: async () => {
      if (server.listening) await stop();
      else drop();
    },
  };
}
