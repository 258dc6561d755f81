import { Readable } from 'node:stream';
import { create, type AxiosInstance, type AxiosRequestConfig } from 'axios';
import NodeFormData from 'form-data';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startResource, type SeenRequest } from '../testing/resource.ts';
import { createWorld } from '../testing/world.ts';
import { attach } from './index.ts';

// An attached instance uploads the same bytes and headers as axios alone, except for the boundary of a form and the
// token. This also holds for the second try after a 401.

let resource: Awaited<ReturnType<typeof startResource>>;
beforeAll(async () => {
  resource = await startResource(({ path, authorization }, response) => {
    const isRefused = path.startsWith('/refusing') && authorization !== 'Bearer access-2';
    response.writeHead(isRefused ? 401 : 200, { 'content-type': 'application/json' }).end('{"done":true}');
  });
});
afterAll(() => resource.close());

const form = (): FormData => {
  const all = new FormData();
  all.set('note', 'hello');
  all.set('file', new Blob([new Uint8Array([0, 255, 13, 10])], { type: 'image/png' }), 'file.png');
  return all;
};

const packageForm = (): NodeFormData => {
  const all = new NodeFormData();
  all.append('note', 'hello');
  all.append('file', Buffer.from([0, 255, 13, 10]), { filename: 'file.bin' });
  return all;
};

type Upload = (client: AxiosInstance, config: AxiosRequestConfig) => Promise<unknown>;

const repeatable: readonly (readonly [string, Upload])[] = [
  ['JSON', (client, config) => client.post('a', { note: 'hello' }, config)],
  ['a string', (client, config) => client.put('a', 'hello', config)],
  [
    'a string of JSON',
    (client, config) => client.post('a', '"x"', { ...config, headers: { 'Content-Type': 'application/json' } }),
  ],
  ['URLSearchParams', (client, config) => client.post('a', new URLSearchParams({ note: 'a b' }), config)],
  [
    'an encoded form',
    (client, config) =>
      client.post(
        'a',
        { note: 'a b' },
        { ...config, headers: { 'Content-Type': 'application/x-www-form-urlencoded' } },
      ),
  ],
  ['FormData', (client, config) => client.post('a', form(), config)],
  [
    'a form that axios writes',
    (client, config) => client.postForm('a', { note: 'hello', bytes: Buffer.from('x') }, config),
  ],
  ['a form of the form-data package', (client, config) => client.post('a', packageForm(), config)],
  ['a Blob', (client, config) => client.post('a', new Blob(['hello'], { type: 'text/plain' }), config)],
  ['a Blob without a type', (client, config) => client.post('a', new Blob(['hello']), config)],
  ['a Buffer', (client, config) => client.post('a', Buffer.from('hello'), config)],
  ['an ArrayBuffer', (client, config) => client.patch('a', new TextEncoder().encode('hello').buffer, config)],
  ['nothing', (client, config) => client.post('a', undefined, config)],
  ['nothing, by GET', (client, config) => client.get('a?q=x%20y', config)],
];

const streams: readonly (readonly [string, Upload])[] = [
  [
    'a Node stream',
    (client, config) => client.post('a', Readable.from([Buffer.from('hel'), Buffer.from('lo')]), config),
  ],
];

/** A received request without the parts that differ from one request to the next. */
function comparable({ method, path, headers, bytes }: SeenRequest) {
  const boundary = /^--(\S+)\r\n/u.exec(bytes.toString('latin1'))?.[1];
  const hidden = (text: string): string => (boundary === undefined ? text : text.replaceAll(boundary, 'boundary'));
  const { authorization: _token, host: _host, ...rest } = headers;
  return {
    method,
    path: path.replace('/refusing', '/taking'),
    headers: Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, hidden(String(value))])),
    // Latin-1 preserves every byte.
    body: hidden(bytes.toString('latin1')),
  };
}

/** Uploads with axios alone and with an attached instance, and returns both as the server received them. */
async function compare(upload: Upload, path: string, { adapter, ...config }: AxiosRequestConfig) {
  const ofInstance = adapter === undefined ? {} : { adapter };
  resource.seen.length = 0;
  await upload(create({ ...ofInstance, baseURL: `${resource.url}/taking/` }), config);
  const tab = await createWorld().openSignedInTab({ resources: [resource.url] });
  const client = create({ ...ofInstance, baseURL: `${resource.url}/${path}/` });
  attach(client, tab.auth);
  await upload(client, config);
  const [alone, ...attached] = resource.seen;
  if (!alone) throw new Error('nothing has arrived');
  return {
    alone: comparable(alone),
    attached: attached.map(comparable),
    tokens: attached.map(({ authorization }) => authorization),
  };
}

describe.each([
  ['without progress', {}],
  ['with upload progress', { onUploadProgress: () => {} }],
  ['with download progress', { onDownloadProgress: () => {} }],
  ['by the fetch adapter', { adapter: 'fetch' }],
  ['without redirects', { maxRedirects: 0 }],
] as const)('%s', (_name, config) => {
  // With the fetch adapter, axios alone sends "[object FormData]" for these forms.
  const isLostByAxios = (upload: string): boolean => 'adapter' in config && /package|axios writes/u.test(upload);
  const whole = repeatable.filter(([upload]) => !isLostByAxios(upload));

  it.each([...whole, ...streams])('%s arrives as from axios alone', async (_upload, upload) => {
    const { alone, attached } = await compare(upload, 'taking', config);
    expect(attached).toEqual([alone]);
  });

  it.each(whole)('%s arrives complete a second time after a 401', async (_upload, upload) => {
    const { alone, attached, tokens } = await compare(upload, 'refusing', config);
    expect(attached).toEqual([alone, alone]);
    expect(tokens).toEqual(['Bearer access-1', 'Bearer access-2']);
  });
});
