import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HoldfastError } from '../core/errors.ts';
import type { ChallengeResult } from '../core/wire.ts';
import { explainPasskeyError, passkey, registerPasskey } from './passkey.ts';

type Get = (options: CredentialRequestOptions) => Promise<unknown>;

const credential = { id: 'Y3JlZA', response: {} };
const signalUnknownCredential = vi.fn<(unknown: object) => Promise<void>>(() => Promise.resolve());
let get = vi.fn<Get>(() => Promise.resolve(credential));

/** A browser with passkeys. */
beforeEach(() => {
  get = vi.fn<Get>(() => Promise.resolve(credential));
  const PublicKeyCredential = Object.assign(() => {}, {
    parseRequestOptionsFromJSON: (json: object) => json,
    parseCreationOptionsFromJSON: (json: object) => json,
    signalUnknownCredential,
  });
  vi.stubGlobal('PublicKeyCredential', PublicKeyCredential);
  vi.stubGlobal('navigator', {
    credentials: {
      get: (options: CredentialRequestOptions) => get(options),
      create: () => Promise.resolve(credential),
    },
  });
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
  signalUnknownCredential.mockClear();
});

/** A server that answers a request without a passkey response with a challenge, and any other with `answer`. */
function askOf(answer: ChallengeResult) {
  let challenges = 0;
  return vi.fn<(fields: Readonly<Record<string, string>>) => Promise<ChallengeResult>>((fields) => {
    if ('passkey_response' in fields) return Promise.resolve(answer);
    challenges++;
    const passkey_options = { challenge: 'Yw', rpId: 'example.com', timeout: 600_000 };
    return Promise.resolve({ kind: 'rejected', more: { auth_session: `session ${challenges}`, passkey_options } });
  });
}

const code: ChallengeResult = { kind: 'code', code: 'a code' };
const refused = (reason: string): ChallengeResult => ({ kind: 'rejected', more: { error: 'access_denied', reason } });

describe('signing in with a passkey', () => {
  it('answers the challenge that the server gave', async () => {
    const ask = askOf(code);
    expect(await passkey()(ask)).toBe(code);
    expect(ask.mock.calls[0]?.[0]).toEqual({ passkey_options: 'true' });
    expect(ask.mock.calls[1]?.[0]).toEqual({
      auth_session: 'session 1',
      passkey_response: JSON.stringify(credential),
    });
  });

  it('reports only a passkey that the server does not know, so that the browser stops offering it', async () => {
    expect(await passkey()(askOf(refused('credentials')))).toEqual(refused('credentials'));
    expect(signalUnknownCredential).not.toHaveBeenCalled();
    await passkey()(askOf(refused('passkey_unknown')));
    expect(signalUnknownCredential).toHaveBeenCalledWith({ rpId: 'example.com', credentialId: 'Y3JlZA' });
  });

  it('renews the challenge of an unused autofill if it expired while the device slept', async () => {
    vi.useFakeTimers({ now: 0 });
    get.mockImplementationOnce(() => {
      vi.setSystemTime(3_600_000);
      return Promise.resolve(credential);
    });
    const ask = askOf(code);
    expect(await passkey({ mediation: 'conditional' })(ask)).toBe(code);
    expect(ask.mock.calls.at(-1)?.[0]).toMatchObject({ auth_session: 'session 2' });
  });

  it('sends nothing more after it is aborted', async () => {
    const controller = new AbortController();
    get.mockImplementationOnce(({ signal }) => {
      controller.abort();
      return Promise.reject(signal?.reason as Error);
    });
    const ask = askOf(code);
    const signIn = passkey({ mediation: 'conditional', signal: controller.signal })(ask);
    expect(explainPasskeyError(await signIn.catch((error: unknown) => error))).toBe('cancelled');
    expect(ask).toHaveBeenCalledTimes(1);
  });

  it('rejects as `unavailable` in a browser without passkeys', async () => {
    vi.stubGlobal('PublicKeyCredential', undefined);
    expect(explainPasskeyError(await passkey()(askOf(code)).catch((error: unknown) => error))).toBe('unavailable');
  });
});

describe('registering a passkey', () => {
  const options = { challenge: 'Yw', rp: { id: 'example.com', name: 'Example' } };
  const begun = Response.json({ auth_session: 'session', passkey_options: options });

  const register = (answer: () => Promise<Response>): Promise<unknown> => {
    const fetch = vi.fn(answer).mockResolvedValueOnce(begun.clone());
    return registerPasskey({ fetch }, { issuer: 'https://example.com', name: 'Phone' }).catch(
      (error: unknown) => error,
    );
  };

  it('resolves with id and name of the passkey', async () => {
    const answer = (): Promise<Response> => Promise.resolve(Response.json({ id: 'Y3JlZA', name: 'Phone' }));
    expect(await register(answer)).toEqual({ id: 'Y3JlZA', name: 'Phone' });
  });

  it('tells the authenticator to remove a refused passkey, but keeps it if the answer was lost', async () => {
    const lost = await register(() => Promise.reject(new TypeError('network')));
    expect(lost).toBeInstanceOf(TypeError);
    expect(signalUnknownCredential).not.toHaveBeenCalled();
    const refusal = await register(() => Promise.resolve(Response.json({}, { status: 409 })));
    expect(refusal).toMatchObject({ code: 'http-status', response: { status: 409 } });
    expect(signalUnknownCredential).toHaveBeenCalledTimes(1);
  });

  it('rejects with `step-up-declined` if the user declines the step-up', async () => {
    const fetch = vi.fn<() => Promise<Response>>(() => Promise.resolve(Response.json({}, { status: 401 })));
    const error: unknown = await registerPasskey({ fetch }, { issuer: 'https://example.com' }).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(HoldfastError);
    expect(error).toMatchObject({ code: 'step-up-declined' });
  });
});
