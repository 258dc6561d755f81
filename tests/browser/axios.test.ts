// Uploads by axios in real Chromium over HTTP/1.1: with a session they are what axios alone sends, apart from the boundary and the
// token. (A browser refuses to stream a request over HTTP/1.1, so an adapter that streams for the sake of progress loses uploads.)
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AxiosPage, UploadName } from './axios-page.ts';
import { launchProfiles, type Profiles } from './profiles.ts';
import { bundlePage } from './stage.ts';

declare global {
  var axiosPage: AxiosPage;
}

type Seen = {
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: string;
  readonly token: string | null;
};

let profiles: Profiles;
let server: Server;
let page: Page;
let seen: Seen[] = [];
let tokens = 0;

/** An authorization server as small as can be: it knows everybody, and each token is another one. */
const answers: Readonly<Record<string, () => unknown>> = {
  '/authorize-challenge': () => ({ authorization_code: 'code' }),
  '/token': () => ({
    access_token: `token-${++tokens}`,
    token_type: 'Bearer',
    expires_in: 900,
    sid: 'session',
    sub: 'ada',
  }),
};

/** The same server by another name, which is another origin. */
const foreignUrl = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}/foreign`;

const foreignHeaders = {
  'access-control-allow-origin': '*',
  'access-control-allow-headers': 'authorization, content-type',
  'access-control-expose-headers': 'www-authenticate',
  'www-authenticate': 'Bearer error="invalid_token"',
};

beforeAll(async () => {
  const script = await bundlePage('axios-page');
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { url: path = '', method, headers } = request;
      const answer = answers[path];
      const isUpload = path.startsWith('/upload');
      if (isUpload) seen.push(seenOf(path, headers, Buffer.concat(chunks)));
      if (path === '/page.js') return void response.setHeader('content-type', 'text/javascript').end(script);
      if (path === '/moved') return void response.writeHead(302, { location: foreignUrl() }).end();
      if (path === '/foreign') return void response.writeHead(method === 'OPTIONS' ? 204 : 401, foreignHeaders).end();
      if (answer) return void response.setHeader('content-type', 'application/json').end(JSON.stringify(answer()));
      const isRefused = path === '/upload-refused' && headers.authorization === `Bearer token-1`;
      response.writeHead(isRefused ? 401 : 200, {
        'content-type': isUpload ? 'application/json' : 'text/html',
        ...(isRefused && { 'www-authenticate': 'Bearer error="invalid_token"' }),
      });
      response.end(
        isUpload
          ? '{"done":true}'
          : '<!doctype html><meta charset="utf-8"><title>axios</title><script src="/page.js"></script>',
      );
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  profiles = await launchProfiles();
});
afterAll(async () => {
  await profiles?.end();
  server?.closeAllConnections();
  server?.close();
});

beforeEach(async () => {
  [seen, tokens] = [[], 0];
  const context = await profiles.open();
  page = await context.newPage();
  await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
  await page.evaluate(() => axiosPage.signIn({ username: 'ada', password: 'secret' }));
  return () => profiles.closeAll();
});

/** An upload without what differs from one to the next. */
function seenOf(path: string, headers: NodeJS.Dict<string | string[]>, bytes: Buffer): Seen {
  const body = bytes.toString('latin1');
  const boundary = /^--(\S+)\r\n/u.exec(body)?.[1];
  const hide = (text: string): string => (boundary === undefined ? text : text.replaceAll(boundary, 'boundary'));
  const { authorization, ...rest } = headers;
  return {
    path,
    headers: Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, hide(String(value))])),
    body: hide(body),
    token: authorization === undefined ? null : String(authorization),
  };
}

const sent = ({ headers, body }: Seen) => ({ headers, body });

const uploads: readonly UploadName[] = [
  'JSON',
  'string',
  'URLSearchParams',
  'FormData',
  'Blob',
  'ArrayBuffer',
  'nothing',
];

describe.each([true, false])('with progress: %s', (hasProgress) => {
  it.each(uploads)('%s arrives as axios alone sends it, at once and across a 401', async (body) => {
    const outcomes = await page.evaluate(
      async ({ body, hasProgress }) => [
        await axiosPage.sendAlone('/upload', body, hasProgress),
        await axiosPage.sendAttached('/upload', body, hasProgress),
        await axiosPage.sendAttached('/upload-refused', body, hasProgress),
      ],
      { body, hasProgress },
    );
    const [alone, ...attached] = seen.map(sent);
    expect(outcomes.map(({ outcome }) => outcome)).toEqual([200, 200, 200]);
    // The progress reports are those of axios alone.
    expect(outcomes).toEqual([outcomes[0], outcomes[0], outcomes[0]]);
    expect(attached).toEqual([alone, alone, alone]);
    expect(seen.map(({ token }) => token)).toEqual([null, 'Bearer token-1', 'Bearer token-1', 'Bearer token-2']);
  });
});

it('a 401 of another origin, to which the API redirects, is the caller’s and causes no refresh', async () => {
  const { outcome } = await page.evaluate(() => axiosPage.sendAttached('/moved', 'nothing', false));
  expect([outcome, tokens]).toEqual(['ERR_BAD_REQUEST', 1]);
});
