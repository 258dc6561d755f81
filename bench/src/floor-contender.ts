// The floor for any server on Node: node:http, one ES256 signature, and one row that a batched statement updates, with a
// request and an answer as long as the others'. It checks nothing and is no server; it says how much of a refresh is Holdfast.
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Pool } from 'pg';
import { announce, listen, readAssignment } from './contender.ts';

const { databaseUrl, clients } = readAssignment();
const pool = new Pool({ connectionString: databaseUrl, max: 1, options: '-c synchronous_commit=off' });
await pool.query('CREATE TABLE chains (id uuid PRIMARY KEY, uses int4 NOT NULL) WITH (fillfactor = 75)');
const ids = Array.from({ length: clients }, () => randomUUID());
await pool.query('INSERT INTO chains SELECT unnest($1::uuid[]), 0', [ids]);

const UPDATE = {
  name: 'update',
  text: 'UPDATE chains AS c SET uses = c.uses + 1 FROM unnest($1::uuid[]) AS u (id) WHERE c.id = u.id RETURNING c.id, c.uses',
};
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
/** As long as header and claims of an access token. */
const SIGNED = 'x'.repeat(500);

let waiting = new Map<string, ServerResponse>();
let isRunning = false;

async function run(): Promise<void> {
  while (waiting.size > 0) {
    const batch = waiting;
    waiting = new Map();
    const { rows } = await pool.query<{ id: string; uses: number }>({ ...UPDATE, values: [[...batch.keys()]] });
    for (const { id, uses } of rows) answer(batch.get(id), `${id}.${uses}`);
  }
  isRunning = false;
}

function answer(response: ServerResponse | undefined, refreshToken: string): void {
  const signature = sign('sha256', Buffer.from(SIGNED), privateKey).toString('base64url');
  const body = `{"access_token":"${SIGNED}.${signature}","refresh_token":"${refreshToken.padEnd(300, '.')}"}`;
  response?.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
  response?.write(body, 'latin1');
  response?.end();
}

function serve(request: IncomingMessage, response: ServerResponse): void {
  request.on('data', (chunk: Buffer) => {
    waiting.set(/refresh_token=([\w-]+)/.exec(chunk.toString('latin1'))?.[1] ?? '', response);
    if (isRunning) return;
    isRunning = true;
    setImmediate(() => void run());
  });
}

announce({ port: await listen(serve), refreshTokens: ids.map((id) => `${id}.0`) });
