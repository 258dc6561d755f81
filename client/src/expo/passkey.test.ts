import { describe, expect, it, vi } from 'vitest';
import type { ChallengeResult } from '../core/wire.ts';
import { explainPasskeyError, passkey, registerPasskey, type Passkeys } from './passkey.ts';

const credential = { id: 'Y3JlZA', rawId: 'Y3JlZA', type: 'public-key', response: {} };
const options = { challenge: 'Yw', rpId: 'example.com' };

/** A phone with passkeys whose ceremonies settle as `answer` does. */
const phone = (answer: () => Promise<object | null>, isSupported = true) => {
  const get = vi.fn<() => Promise<object | null>>(answer);
  const passkeys: Passkeys = { isSupported: () => isSupported, get, create: get };
  return { passkeys, get };
};

/** An error of the native module. */
const nativeError = (code: string): Error => Object.assign(new Error('native'), { code });

/** A server that answers a request without a passkey response with a challenge, and any other with a code. */
const server = () =>
  vi.fn<(fields: Readonly<Record<string, string>>) => Promise<ChallengeResult>>((fields) =>
    Promise.resolve(
      'passkey_response' in fields
        ? { kind: 'code', code: 'a code' }
        : { kind: 'rejected', more: { auth_session: 'session', passkey_options: options } },
    ),
  );

describe('signing in with a passkey on a phone', () => {
  it('signs the server’s challenge and sends the same fields as a browser', async () => {
    const { passkeys, get } = phone(() => Promise.resolve(credential));
    const send = server();
    expect(await passkey(passkeys)(send)).toEqual({ kind: 'code', code: 'a code' });
    expect(send).toHaveBeenNthCalledWith(1, { passkey_options: 'true' });
    expect(get).toHaveBeenCalledWith(options);
    expect(send).toHaveBeenLastCalledWith({ auth_session: 'session', passkey_response: JSON.stringify(credential) });
  });

  it.each([
    ['ERR_USER_CANCELLED', 'cancelled'],
    ['ERR_PASSKEY_REQUEST_FAILED', 'cancelled'],
    ['ERR_BIOMETRIC', 'unavailable'],
    ['ERR_NOT_SUPPORTED', 'unavailable'],
    ['ERR_NOT_CONFIGURED', 'not-allowed-here'],
    ['ERR_UNKNOWN', 'failed'],
  ] as const)('%s is reported as %s, and no response is sent', async (code, why) => {
    const { passkeys } = phone(() => Promise.reject(nativeError(code)));
    const send = server();
    const error: unknown = await passkey(passkeys)(send).catch((reason: unknown) => reason);
    expect(explainPasskeyError(error)).toBe(why);
    expect(send).toHaveBeenCalledTimes(1);
  });

  it('rejects as `unavailable` on a device without passkeys, and as `cancelled` without a credential', async () => {
    const unable = phone(() => Promise.resolve(credential), false);
    const none = phone(() => Promise.resolve(null));
    const why = async ({ passkeys }: { readonly passkeys: Passkeys }) =>
      explainPasskeyError(await passkey(passkeys)(server()).catch((reason: unknown) => reason));
    expect([await why(unable), await why(none)]).toEqual(['unavailable', 'cancelled']);
  });
});

describe('registering a passkey on a phone', () => {
  it('sends the new credential with the name that the user chose', async () => {
    const { passkeys } = phone(() => Promise.resolve(credential));
    const fetch = vi
      .fn<(url: unknown, init?: RequestInit) => Promise<Response>>()
      .mockResolvedValueOnce(Response.json({ auth_session: 'session', passkey_options: options }))
      .mockResolvedValueOnce(Response.json({ id: 'Y3JlZA', name: 'iPhone' }));
    const registered = await registerPasskey(passkeys, { fetch }, { issuer: 'https://example.com', name: 'iPhone' });
    expect(registered).toEqual({ id: 'Y3JlZA', name: 'iPhone' });
    const sent = fetch.mock.lastCall?.[1];
    // The server may issue tokens for another API by default. These calls need a token with the issuer as its audience.
    for (const [, init] of fetch.mock.calls) expect(init).toMatchObject({ resource: 'https://example.com' });
    expect(sent?.headers).toEqual({ 'content-type': 'application/x-www-form-urlencoded' });
    expect(Object.fromEntries(new URLSearchParams(sent?.body as string))).toEqual({
      auth_session: 'session',
      passkey_response: JSON.stringify(credential),
      name: 'iPhone',
    });
  });
});
