/** One place that a script looks into, what it finds there, and whether that opens a session somewhere else. */
export type Loot = { readonly place: string; readonly found: string; readonly isUseful: boolean };

const settled = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => reject(new Error('the database could not be read')));
  });

/** Everything in the databases of this origin. */
async function readDatabases(): Promise<readonly unknown[]> {
  const values: unknown[] = [];
  for (const { name = '' } of await indexedDB.databases()) {
    const database = await settled(indexedDB.open(name));
    for (const store of database.objectStoreNames)
      values.push(...(await settled(database.transaction(store).objectStore(store).getAll())));
    database.close();
  }
  return values;
}

async function canExport(key: unknown): Promise<boolean> {
  if (!(key instanceof CryptoKey)) return false;
  return crypto.subtle.exportKey('raw', key).then(
    () => true,
    () => false,
  );
}

/** Every byte of a value, as text. */
function textOf(value: unknown): string {
  if (value instanceof ArrayBuffer) return String.fromCharCode(...new Uint8Array(value));
  if (ArrayBuffer.isView(value)) return String.fromCharCode(...new Uint8Array(value.buffer));
  if (typeof value === 'object' && value !== null) return Object.values(value).map(textOf).join(' ');
  return String(value);
}

/** Looks like one of our tokens, in clear. */
const isToken = (text: string): boolean => /hfrt_|eyJ[\w-]{16}/u.test(text);

function judgeText(place: string, text: string, nothing: string, something: string): Loot {
  const isUseful = isToken(text);
  return { place, isUseful, found: isUseful ? 'a token, in clear' : text === '' ? nothing : something };
}

/** Does what an injected script would: reads everything that can be read and taken along. */
export async function collectLoot(): Promise<readonly Loot[]> {
  const values = await readDatabases().catch(() => []);
  const keys = values.filter((value) => value instanceof CryptoKey);
  const exported = (await Promise.all(keys.map(canExport))).filter(Boolean).length;
  const text = values.map(textOf).join(' ');
  return [
    judgeText('Cookies', document.cookie, 'nothing: the refresh token is in an HttpOnly cookie', 'no token'),
    judgeText('Local storage', Object.values(localStorage).join(' '), 'nothing', 'a name to greet with, and no token'),
    judgeText('Databases', text, 'nothing', 'a sealed record: bytes that are worth nothing without their key'),
    {
      place: 'The key of that record',
      found: exported > 0 ? 'the key itself' : keys.length > 0 ? 'refused: it cannot leave this browser' : 'no key',
      isUseful: exported > 0,
    },
  ];
}

/** The result of a use of the copy: the server's answer to it, and how many notes could be read with what it gave. */
export type CopyUse = { readonly status: number; readonly reason: string | null; readonly notes: number | null };

/** Uses the copied cookie on another machine. The demo's server plays that machine, and keeps the tokens to itself. */
export async function playCopy(copy: string): Promise<CopyUse> {
  const response = await fetch('/demo/thief', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ copy }),
    credentials: 'omit',
  });
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return (await response.json()) as CopyUse;
}
