// @ts-check
// The demo's server for the tests of the app, as a process of its own: the real one, on a database of its own. Prints its address, and
// that of one with short sessions, as one line of JSON, and ends when its input does.
//
//   node tests/demo-server.mjs [folder of the app's export for the web]
import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { createDemoApi } from '@holdfast/demo-api';
import { startEmbeddedPostgres } from '@holdfast/server';

const types = { '.html': 'text/html', '.js': 'text/javascript', '.ico': 'image/x-icon', '.json': 'application/json' };

/**
 * The export, whatever the path: the app has one page.
 *
 * @param {string} folder
 * @returns {import('node:http').RequestListener}
 */
const serveExport = (folder) => (request, response) => {
  const wanted = path.join(folder, path.normalize(new URL(request.url ?? '/', 'http://localhost').pathname));
  const isFile = wanted.startsWith(folder + path.sep) && fs.existsSync(wanted) && fs.statSync(wanted).isFile();
  const file = isFile ? wanted : path.join(folder, 'index.html');
  response.setHeader('content-type', types[path.extname(file)] ?? 'application/octet-stream');
  response.end(fs.readFileSync(file));
};

const dataDirectory = await mkdtemp(path.join(tmpdir(), 'holdfast-ios-'));
const postgres = await startEmbeddedPostgres({ dataDirectory, settings: { fsync: 'off', full_page_writes: 'off' } });
const [folder] = process.argv.slice(2);
const options = {
  databaseUrl: postgres.databaseUrl,
  secret: 'a secret for tests that is long enough',
  demo: true,
  ...(folder === undefined ? {} : { webApp: serveExport(path.resolve(folder)) }),
};
const api = await createDemoApi(options);
// Within the client's warning: its sessions are about to end from the start.
const shortApi = await createDemoApi({ ...options, policy: { inactivityTimeoutSeconds: 240 } });

let isStopping = false;
async function stop() {
  if (isStopping) return;
  isStopping = true;
  await Promise.all([api.close(), shortApi.close()]);
  await postgres.stop();
  await rm(dataDirectory, { recursive: true, force: true });
  process.exit(0);
}
process.stdin.on('end', () => void stop()).resume();
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => void stop());
process.stdout.write(`${JSON.stringify({ url: api.url, shortUrl: shortApi.url })}\n`);
