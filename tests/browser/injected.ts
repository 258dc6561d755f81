// An injected script: these functions run in the page, and nothing in them is the client's.

/** The contents of IndexedDB: every value of every store, with the place that it was found in. */
export type Found = { readonly database: string; readonly slot: string; readonly value: unknown };

/** The session, as a script gets it out of the vault: by the key that lies beside it. Tokens are `null` where there are none. */
export type Loot = { readonly refreshToken: string | null; readonly accessToken: string | null };

/** Has the browser open the vault, as any script of the origin can while the page is open. */
export async function openVault(): Promise<Loot> {
  const settled = <Result>(request: IDBRequest<Result>): Promise<Result> =>
    new Promise((resolve, reject) => {
      request.addEventListener('success', () => resolve(request.result));
      request.addEventListener('error', () => reject(new Error('IndexedDB refused')));
    });
  for (const { name = '' } of await indexedDB.databases()) {
    const database = await settled(indexedDB.open(name));
    const read = (slot: string): Promise<unknown> =>
      settled(database.transaction('session').objectStore('session').get(slot));
    const record = (await read('record')) as { readonly iv: Uint8Array<ArrayBuffer>; readonly data: ArrayBuffer };
    if (!record) continue;
    const algorithm = { name: 'AES-GCM', iv: record.iv };
    const plain = await crypto.subtle.decrypt(algorithm, (await read('key')) as CryptoKey, record.data);
    const { session } = JSON.parse(new TextDecoder().decode(plain)) as {
      readonly session: { readonly refreshToken: string | null; readonly access: { readonly value: string } | null };
    };
    return { refreshToken: session.refreshToken, accessToken: session.access?.value ?? null };
  }
  return { refreshToken: null, accessToken: null };
}

/** Signs a DPoP proof with the page's own key, to be carried away. */
export async function signInPlace(claims: Readonly<Record<string, unknown>>): Promise<string> {
  const request = indexedDB.open('holdfast-default');
  const database = await new Promise<IDBDatabase>((resolve) => {
    request.addEventListener('success', () => resolve(request.result));
  });
  const found = database.transaction('session').objectStore('session').get('proof-key') as IDBRequest<CryptoKeyPair>;
  const keys = await new Promise<CryptoKeyPair>((resolve) => {
    found.addEventListener('success', () => resolve(found.result));
  });
  const encode = (bytes: Uint8Array): string =>
    btoa(String.fromCharCode(...bytes))
      .replaceAll('+', '-')
      .replaceAll('/', '_')
      .replaceAll('=', '');
  const json = (value: unknown): string => encode(new TextEncoder().encode(JSON.stringify(value)));
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', keys.publicKey);
  const input = `${json({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } })}.${json(claims)}`;
  const algorithm = { name: 'ECDSA', hash: 'SHA-256' };
  const signature = await crypto.subtle.sign(algorithm, keys.privateKey, new TextEncoder().encode(input));
  return `${input}.${encode(new Uint8Array(signature))}`;
}
