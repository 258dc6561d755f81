// Real ceremonies in real Chromium: its own WebAuthn, a virtual authenticator behind it, the real server and database.
import { createHash, randomBytes } from 'node:crypto';
import { demoUser } from '@holdfast/demo-api';
import type { CDPSession } from 'playwright-core';
import { beforeEach, describe, expect, it } from 'vitest';
import { signInNative, type NativeSession } from '../native-session.ts';
import { api, context, openProfile, page, useDemo } from './use-demo.ts';

let devtools: CDPSession;
let session: NativeSession;

useDemo();
beforeEach(async () => {
  await openProfile();
  // Any document of the issuer's origin will do.
  await page.goto(`${api.url}/healthz`);
  devtools = await context.newCDPSession(page);
  await devtools.send('WebAuthn.enable');
  session = await signInNative(api.url, demoUser);
});

type Fields = Readonly<Record<string, string>>;
type Answered = { readonly status: number; readonly body: Readonly<Record<string, unknown>> };

/** A device's own authenticator, such as Touch ID. */
async function addAuthenticator(options: {
  readonly isUserVerified: boolean;
  readonly isSynced?: boolean;
  /** True if it can verify a user at all. */
  readonly canVerify?: boolean;
}): Promise<string> {
  const { authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      ctap2Version: 'ctap2_1',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: options.canVerify ?? true,
      isUserVerified: options.isUserVerified,
      automaticPresenceSimulation: true,
      defaultBackupEligibility: options.isSynced ?? false,
      defaultBackupState: options.isSynced ?? false,
    },
  });
  return authenticatorId;
}

async function post(path: string, fields: Fields, accessToken?: string): Promise<Answered> {
  const headers = accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` };
  const response = await fetch(api.url + path, { method: 'POST', body: new URLSearchParams(fields), headers });
  return { status: response.status, body: (await response.json()) as Answered['body'] };
}

async function ask(method: string, path: string): Promise<Response> {
  return fetch(api.url + path, { method, headers: { authorization: `Bearer ${session.accessToken}` } });
}

/** Runs `navigator.credentials.create` on the page. */
function create(options: unknown): Promise<string> {
  return page.evaluate(async (json) => {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(json as PublicKeyCredentialCreationOptionsJSON);
    const credential = await navigator.credentials.create({ publicKey });
    return JSON.stringify((credential as PublicKeyCredential).toJSON());
  }, options);
}

/** Runs `navigator.credentials.get` on the page, by button or by the autofill of a form. */
function get(options: unknown, mediation: CredentialMediationRequirement = 'optional'): Promise<string> {
  return page.evaluate(
    async ({ json, mediation }) => {
      const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(json as PublicKeyCredentialRequestOptionsJSON);
      const credential = await navigator.credentials.get({ publicKey, mediation });
      return JSON.stringify((credential as PublicKeyCredential).toJSON());
    },
    { json: options, mediation },
  );
}

async function register(name = 'This browser'): Promise<Answered> {
  const { body } = await post('/passkeys/options', {}, session.accessToken);
  const response = await create(body['passkey_options']);
  const fields = { auth_session: String(body['auth_session']), passkey_response: response, name };
  return post('/passkeys', fields, session.accessToken);
}

/** Step one of a sign-in. */
async function begin(): Promise<{ readonly fields: Fields; readonly options: unknown; readonly verifier: string }> {
  const verifier = randomBytes(32).toString('base64url');
  const fields = {
    client_id: 'native',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  };
  const { status, body } = await post('/authorize-challenge', fields);
  expect({ status, error: body['error'] }).toEqual({ status: 403, error: 'insufficient_authorization' });
  return {
    fields: { ...fields, auth_session: String(body['auth_session']) },
    options: body['passkey_options'],
    verifier,
  };
}

describe('a passkey in Chromium', () => {
  it('is registered and signs its user in without a name being typed; the token says aal2', async () => {
    await addAuthenticator({ isUserVerified: true });
    const registered = await register();
    expect(registered).toMatchObject({ status: 201, body: { name: 'This browser', rp_id: 'localhost' } });
    const { fields, options, verifier } = await begin();
    const answer = await post('/authorize-challenge', { ...fields, passkey_response: await get(options) });
    expect(answer.status).toBe(200);
    const tokens = await post('/token', {
      grant_type: 'authorization_code',
      client_id: 'native',
      code: String(answer.body['authorization_code']),
      code_verifier: verifier,
    });
    const verdict = await api.holdfast.verifyAccessToken(`Bearer ${String(tokens.body['access_token'])}`);
    const user = await api.holdfast.users.findByUsername(demoUser.username);
    expect(verdict).toMatchObject({ ok: true, claims: { sub: user?.sub, acr: 'aal2' } });
    expect((await ask('DELETE', `/passkeys/${String(registered.body['id'])}`)).status).toBe(204);
  });

  it('signs in by the autofill of the sign-in form', async () => {
    await addAuthenticator({ isUserVerified: true });
    expect((await register()).status).toBe(201);
    const { fields, options } = await begin();
    const response = await get(options, 'conditional');
    expect(await post('/authorize-challenge', { ...fields, passkey_response: response })).toMatchObject({
      status: 200,
    });
  });

  it('with user verification switched off is refused: by the browser, and by the server when a page asks for less', async () => {
    const authenticatorId = await addAuthenticator({ isUserVerified: true });
    expect((await register()).status).toBe(201);
    await devtools.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
    const { fields, options } = await begin();
    await expect(get(options)).rejects.toThrow('NotAllowedError');
    const response = await get({ ...(options as object), userVerification: 'discouraged' });
    expect(await post('/authorize-challenge', { ...fields, passkey_response: response })).toMatchObject({
      status: 400,
      body: { error: 'access_denied', reason: 'credentials' },
    });
  });

  it('cannot be registered without user verification either', async () => {
    await addAuthenticator({ isUserVerified: false, canVerify: false });
    const { body } = await post('/passkeys/options', {}, session.accessToken);
    await expect(create(body['passkey_options'])).rejects.toThrow('NotAllowedError');
    const options = body['passkey_options'] as object;
    const response = await create({
      ...options,
      authenticatorSelection: { residentKey: 'required', userVerification: 'discouraged' },
    });
    const fields = { auth_session: String(body['auth_session']), passkey_response: response };
    expect(await post('/passkeys', fields, session.accessToken)).toMatchObject({
      status: 400,
      body: { error: 'access_denied' },
    });
  });

  it('is registered once per device, and the browser says so', async () => {
    await addAuthenticator({ isUserVerified: true });
    expect((await register()).status).toBe(201);
    await expect(register()).rejects.toThrow('InvalidStateError');
  });

  it('that is synced is listed as such', async () => {
    await addAuthenticator({ isUserVerified: true, isSynced: true });
    const { body } = await register('Synced');
    expect(body).toMatchObject({ backup_eligible: true, backed_up: true });
    const listed = (await (await ask('GET', '/passkeys')).json()) as { readonly passkeys: readonly object[] };
    expect(listed.passkeys).toContainEqual(expect.objectContaining({ name: 'Synced', backed_up: true }));
  });

  it('removed on the server is told to be unknown, so that the browser can forget it', async () => {
    await addAuthenticator({ isUserVerified: true });
    const { body } = await register();
    await ask('DELETE', `/passkeys/${String(body['id'])}`);
    const { fields, options } = await begin();
    const response = await get(options);
    expect(await post('/authorize-challenge', { ...fields, passkey_response: response })).toMatchObject({
      status: 400,
      body: { reason: 'passkey_unknown' },
    });
  });
});
