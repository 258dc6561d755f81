// A script that got into the page before the app: it listens to everything, and looks everywhere. What it must not find.
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { inContext, openSignedInTabs, passDeviceTime, writeFromAll, type TabOptions } from './tabs.ts';
import { context, stage, useStage } from './use-stage.ts';

/** Longer than an access token lives, and than the server's rotation interval. */
const EXPIRY_MS = 16 * 60_000;

useStage();

/** The script's finds: texts, and the result of exporting every key that was made or used. */
type Seen = { readonly texts: string[]; readonly keys: unknown[] };

/** Runs before the app: wraps what the app will use, and writes down all that passes. */
function listenIn(): void {
  const seen: Seen = { texts: [], keys: [] };
  Object.assign(globalThis, { seen });
  const note = (value: unknown): void =>
    void seen.texts.push(typeof value === 'string' ? value : JSON.stringify(value));
  type Method = (this: unknown, ...values: unknown[]) => unknown;
  const wrap = (target: object, name: string, look: (values: readonly unknown[], result: unknown) => void): void => {
    const method = Reflect.get(target, name) as Method;
    Reflect.set(target, name, function listen(this: unknown, ...values: unknown[]) {
      const result = method.apply(this, values);
      look(values, result);
      return result;
    });
  };
  wrap(globalThis, 'fetch', (values, result) => {
    note(values);
    const hear = async (response: Response): Promise<void> => {
      note([...response.headers]);
      note(await response.clone().text());
    };
    void (result as Promise<Response>).then(hear);
  });
  wrap(XMLHttpRequest.prototype, 'send', (values) => note(values));
  for (const name of ['parse', 'stringify']) {
    const method = Reflect.get(JSON, name) as Method;
    Reflect.set(JSON, name, (...values: unknown[]) => {
      const result = method(...values);
      seen.texts.push(String(values[0]), String(result));
      return result;
    });
  }
  for (const name of ['text', 'json']) {
    wrap(Response.prototype, name, (_values, result) => void (result as Promise<unknown>).then(note));
  }
  for (const name of ['encode', 'decode']) {
    const { prototype } = name === 'encode' ? TextEncoder : TextDecoder;
    wrap(prototype, name, (values, result) => void seen.texts.push(String(values[0]), String(result)));
  }
  wrap(BroadcastChannel.prototype, 'postMessage', (values) => note(values));
  wrap(Storage.prototype, 'setItem', (values) => note(values));
  const subtle: object = Object.getPrototypeOf(crypto.subtle) as object;
  wrap(
    subtle,
    'generateKey',
    (_values, result) => void (result as Promise<unknown>).then((key) => seen.keys.push(key)),
  );
  wrap(subtle, 'sign', (values) => void seen.keys.push(values[1]));
}

/** Everything that a script can read when the app has run for a while. */
async function lookAround(): Promise<{ readonly texts: string; readonly exported: readonly string[] }> {
  const { seen } = globalThis as unknown as { readonly seen: Seen };
  const settled = <Result>(request: IDBRequest<Result>): Promise<Result> =>
    new Promise((resolve, reject) => {
      request.addEventListener('success', () => resolve(request.result));
      request.addEventListener('error', () => reject(new Error('IndexedDB refused')));
    });
  const stored: unknown[] = [];
  for (const { name = '' } of await indexedDB.databases()) {
    const database = await settled(indexedDB.open(name));
    for (const store of database.objectStoreNames)
      stored.push(...(await settled(database.transaction(store).objectStore(store).getAll())));
  }
  const bytes = (value: unknown): string =>
    value instanceof ArrayBuffer || ArrayBuffer.isView(value)
      ? new TextDecoder('latin1').decode(value)
      : typeof value === 'object' && value !== null
        ? Object.values(value).map(bytes).join(' ')
        : String(value);
  const cached = await Promise.all(
    (await caches.keys()).map(async (name) => (await (await caches.open(name)).keys()).map(({ url }) => url)),
  );
  const places = [
    document.cookie,
    Object.entries(localStorage),
    Object.entries(sessionStorage),
    cached,
    performance.getEntries(),
  ];
  const isKey = (value: unknown): value is CryptoKey => value instanceof CryptoKey;
  const keys = [...seen.keys, ...stored].flatMap((value) =>
    isKey(value) ? [value] : Object.values(value as object).filter(isKey),
  );
  const secret = keys.filter(({ type }) => type !== 'public');
  const exported = await Promise.all(
    secret.flatMap((key) =>
      ['jwk', 'raw', 'pkcs8'].map((format) =>
        crypto.subtle.exportKey(format as 'jwk', key).then(
          () => `exported as ${format}`,
          () => 'refused',
        ),
      ),
    ),
  );
  const texts = [...seen.texts, ...places.map((place) => JSON.stringify(place)), ...stored.map(bytes)];
  return { texts: texts.join('\n'), exported };
}

/** The app's life with the script in it: a sign-in, two refreshes, a reload. */
async function live(options: TabOptions): Promise<Awaited<ReturnType<typeof lookAround>>> {
  await context.addInitScript(listenIn);
  const [tab] = await openSignedInTabs(inContext(context), stage, 1, options);
  const before = await look(tab);
  for (const name of ['first', 'second']) {
    await stage.passTime(EXPIRY_MS);
    await passDeviceTime([tab], EXPIRY_MS);
    expect(await writeFromAll([tab], name)).toEqual([201]);
  }
  const during = await look(tab);
  await tab.reload();
  expect(await writeFromAll([tab], 'third')).toEqual([201]);
  const after = await look(tab);
  return {
    texts: [before, during, after].map(({ texts }) => texts).join('\n'),
    exported: [before, during, after].flatMap(({ exported }) => exported),
  };
}

const look = (tab: Page): ReturnType<typeof lookAround> => tab.evaluate(lookAround);

/** How a refresh token of the server begins, and how any token endpoint names it. */
const REFRESH_TOKEN = /hfrt_|"refresh_token":/u;

it('with a cookie it finds no refresh token, wherever it looks and whatever it wraps', async () => {
  const { texts } = await live({ mode: 'cookie' });
  // It hears what the app hears: the listening works.
  expect(texts).toMatch(/"access_token":/u);
  expect(texts).not.toMatch(REFRESH_TOKEN);
  // The page's own cookie, which names the session, is the only one that a script can read.
  const cookies = (await context.cookies(stage.url)).filter(({ name }) => name.startsWith('__Host-'));
  expect(cookies).toMatchObject([{ httpOnly: true, secure: true, sameSite: 'Strict' }]);
  // The cookie is there, and its value is nowhere that a script can see.
  expect(texts).not.toContain(cookies[0]?.value);
  expect(stage.events.filter((event) => event.type === 'refresh.answered')).not.toEqual([]);
});

it('with a key it can have none exported: not as it is made, not as it is used, not from where it is stored', async () => {
  const { texts, exported } = await live({ mode: 'bound' });
  // It does see the refresh token, which is worth nothing without the key.
  expect(texts).toMatch(REFRESH_TOKEN);
  expect(exported.length).toBeGreaterThanOrEqual(3 * 3);
  expect(new Set(exported)).toEqual(new Set(['refused']));
});

it('with either it can use the session where it is, for as long as the page is open: a stated limit', async () => {
  const [tab] = await openSignedInTabs(inContext(context), stage, 1, { mode: 'cookie' });
  const { status } = await tab.evaluate(async () => {
    const headers = { 'holdfast-request': '1' };
    const body = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'cookie' });
    const answer = (await (await fetch('/token', { method: 'POST', body, headers })).json()) as {
      readonly access_token: string;
    };
    const authorization = `Bearer ${answer.access_token}`;
    const written = await fetch('/notes', { method: 'POST', body: 'by the script', headers: { authorization } });
    return { status: written.status };
  });
  expect({ status, notes: stage.notes }).toEqual({ status: 201, notes: ['by the script'] });
});
