// Two programs of one user share the session in a file. After a sign-out and the sign-in of another user in one
// program, the other one notices before it sends a request, although the processes exchange no messages.
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { buildPortProcess, createFolder, startSessionProcess, type SessionProcess } from '../testing/processes.ts';
import { startResource } from '../testing/resource.ts';

let program: string;
let home: ReturnType<typeof createFolder>;
let issuer: Awaited<ReturnType<typeof startIssuer>>;
const processes: SessionProcess[] = [];
let folder: ReturnType<typeof createFolder>;

/** A token endpoint whose tokens last 15 minutes and name their user, and an API beside it. */
async function startIssuer() {
  let username = '';
  return startResource(({ path, body }, response) => {
    const answer = (json: unknown): void =>
      void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(json));
    if (path === '/authorize-challenge') username = new URLSearchParams(body).get('username') ?? '';
    if (path === '/authorize-challenge') return answer({ authorization_code: 'code' });
    if (path !== '/token') return answer({});
    const tokens = { access_token: `access of ${username}`, refresh_token: `refresh of ${username}` };
    return answer({ ...tokens, token_type: 'Bearer', expires_in: 900, sid: `session of ${username}`, sub: username });
  });
}

beforeAll(async () => {
  home = createFolder();
  program = await buildPortProcess(home.folder, 'session-process');
});
afterAll(() => home.remove());
beforeEach(async () => {
  issuer = await startIssuer();
  folder = createFolder();
});
afterEach(async () => {
  await Promise.all(processes.splice(0).map((each) => each.kill()));
  await issuer.close();
  folder.remove();
});

async function start(): Promise<SessionProcess> {
  const each = startSessionProcess(program, issuer.url, folder.folder);
  processes.push(each);
  await each.tell({ kind: 'ready' });
  return each;
}

/** The tokens that the API received. */
const sent = (): readonly (string | null)[] =>
  issuer.seen.filter(({ path }) => path === '/notes').map(({ authorization }) => authorization);

it('a sign-out in one process takes effect in the other before its next request', async () => {
  const [first, second] = [await start(), await start()];
  await first.tell({ kind: 'sign-in', username: 'ada' });
  expect(await second.tell({ kind: 'send' })).toBe(200);
  await first.tell({ kind: 'sign-out' });
  expect(await second.tell({ kind: 'send' })).toBe('signed-out');
  expect(sent()).toEqual(['Bearer access of ada']);
});

it('after another user signed in, the other process sends no more requests as the previous user', async () => {
  const [first, second] = [await start(), await start()];
  await first.tell({ kind: 'sign-in', username: 'ada' });
  expect(await second.tell({ kind: 'send' })).toBe(200);
  await first.tell({ kind: 'sign-out' });
  await first.tell({ kind: 'sign-in', username: 'bob' });
  expect(await second.tell({ kind: 'send' })).toBe('user-changed');
  expect(await second.tell({ kind: 'send' })).toBe(200);
  expect(sent()).toEqual(['Bearer access of ada', 'Bearer access of bob']);
});

it('a process that was started before the sign-in uses the session at once', async () => {
  const [first, second] = [await start(), await start()];
  expect(await second.tell({ kind: 'send' })).toBe('signed-out');
  await first.tell({ kind: 'sign-in', username: 'ada' });
  expect(await second.tell({ kind: 'send' })).toBe(200);
});
