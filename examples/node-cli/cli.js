// @ts-check
// A command-line tool with a session. All its processes share one session and refresh it once.
//   node examples/node-cli/cli.js login | whoami | logout
import process from 'node:process';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { createApiClient, createAuthService, createRefreshLog, HoldfastError } from 'holdfast';
import { node } from 'holdfast/node';

const issuer = process.env['ISSUER'] ?? 'http://localhost:4700';
const auth = createAuthService({
  issuer,
  clientId: 'native',
  platform: node({ name: 'example-cli' }),
  assumeUserActive: true, // a person typed the command
  onEvent: createRefreshLog((line) => console.error(line)),
});
const api = createApiClient({ baseUrl: issuer, auth });

/**
 * Asks for a line. Ctrl-C and Ctrl-D reject.
 *
 * @param {string} question
 * @param {boolean} isHidden the line is not shown while it is typed
 */
async function ask(question, isHidden = false) {
  const silence = new Writable({ write: (_chunk, _encoding, done) => done() });
  const output = isHidden ? silence : process.stdout;
  const lines = createInterface({ input: process.stdin, output, terminal: process.stdin.isTTY });
  const closed = new AbortController();
  lines.once('close', () => closed.abort());
  // Only now: the terminal has stopped showing what is typed.
  if (isHidden) process.stdout.write(question);
  try {
    return await lines.question(question, { signal: closed.signal });
  } finally {
    lines.close();
    if (isHidden) process.stdout.write('\n');
  }
}

/** @type {Readonly<Record<string, () => Promise<void>>>} */
const commands = {
  async login() {
    await auth.signIn({ username: await ask('User name: '), password: await ask('Password: ', true) });
    await commands['whoami']?.();
  },
  async whoami() {
    /** @type {{ readonly name: string }} */
    const me = await api.get('/api/me').json();
    console.log(me.name);
  },
  async logout() {
    await auth.signOut();
  },
};

try {
  const command = commands[process.argv[2] ?? ''];
  if (command === undefined) throw new Error('Usage: cli.js login | whoami | logout');
  await auth.ready();
  await command();
} catch (error) {
  const isSignedOut = error instanceof HoldfastError && error.code === 'signed-out';
  console.error(isSignedOut ? 'Not signed in. Run: cli.js login' : String(error));
  process.exitCode = 1;
} finally {
  auth.dispose(); // the session stays in its file
}
