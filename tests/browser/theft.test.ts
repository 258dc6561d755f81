// A browser's storage, used somewhere else: the thief's gain, the owner's loss, and the owner's way back. The
// thief is the strongest there is short of staying: a script that had the browser open its own vault.
import { createHash } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { addAuthenticator } from './authenticator.ts';
import { holdAnswer } from './faults.ts';
import { openVault, signInPlace, type Loot } from './injected.ts';
import { inContext, pageUrl, passDeviceTime, signIn, type TabOptions } from './tabs.ts';
import { context, stage, useStage } from './use-stage.ts';

/** Longer than an access token lives, than the server's rotation interval, and than a nonce. */
const LATER_MS = 16 * 60_000;

let owner: Page;

useStage();

/** The owner signs in, and has a passkey. */
async function openOwner(options: TabOptions): Promise<void> {
  owner = await inContext(context)('about:blank');
  await addAuthenticator(owner);
  await owner.goto(pageUrl(stage, options));
  await signIn(owner);
  expect(await owner.evaluate(() => scene.registerPasskey())).toBe('done');
  stage.reset();
}

async function later(): Promise<void> {
  await stage.passTime(LATER_MS);
  await passDeviceTime([owner], LATER_MS);
}

type Headers = Readonly<Record<string, string>>;
type Answer = { readonly status: number; readonly nonce: string; readonly body: Readonly<Record<string, unknown>> };

/** The thief, elsewhere, uses a refresh token. */
async function refreshAsThief(clientId: string, { refreshToken }: Loot, headers: Headers = {}): Promise<Answer> {
  const form = { grant_type: 'refresh_token', client_id: clientId, refresh_token: refreshToken ?? '' };
  const response = await fetch(`${stage.url}/token`, { method: 'POST', body: new URLSearchParams(form), headers });
  const body = (await response.json()) as Answer['body'];
  return { status: response.status, nonce: response.headers.get('dpop-nonce') ?? '', body };
}

/** The thief, elsewhere, uses an access token. */
async function readAsThief(authorization: string, headers: Headers = {}): Promise<number> {
  const response = await fetch(`${stage.url}/notes`, { headers: { ...headers, authorization } });
  return response.status;
}

type Claims = { readonly htm: string; readonly htu: string; readonly nonce?: string; readonly ath?: string };

const claimsFor = (claims: Claims) => ({
  ...claims,
  jti: crypto.randomUUID(),
  iat: Math.floor(Date.now() / 1_000),
});

/** A proof by a key of the thief's own. */
async function signElsewhere(claims: Claims): Promise<string> {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const jwk = await exportJWK(publicKey);
  return new SignJWT(claimsFor(claims)).setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk }).sign(privateKey);
}

const endings = (): readonly unknown[] =>
  stage.events.flatMap((event) => (event.type === 'session.revoked' ? [event.reason] : []));

describe('everything that is stored, stolen from a session that is bound to a key', () => {
  it('is useless elsewhere: every way to use it is refused, and the owner notices nothing', async () => {
    await openOwner({ mode: 'bound' });
    const loot = await owner.evaluate(openVault);
    expect(loot).toMatchObject({ refreshToken: expect.any(String), accessToken: expect.any(String) });
    const { nonce, ...bare } = await refreshAsThief('bound', loot);
    expect(bare).toMatchObject({ status: 400, body: { error: 'invalid_dpop_proof' } });
    const token = { htm: 'POST', htu: `${stage.url}/token` };
    const asked = await refreshAsThief('bound', loot, { dpop: await signElsewhere(token) });
    expect(asked).toMatchObject({ status: 400, body: { error: 'use_dpop_nonce' } });
    const dpop = await signElsewhere({ ...token, nonce: asked.nonce || nonce });
    expect(await refreshAsThief('bound', loot, { dpop })).toMatchObject({
      status: 400,
      body: { error: 'invalid_grant', reason: 'wrong_key' },
    });
    expect(await readAsThief(`Bearer ${loot.accessToken}`)).toBe(401);
    const ath = createHash('sha256')
      .update(loot.accessToken ?? '')
      .digest('base64url');
    const forged = await signElsewhere({ htm: 'GET', htu: `${stage.url}/notes`, ath });
    expect(await readAsThief(`DPoP ${loot.accessToken}`, { dpop: forged })).toBe(401);
    await later();
    expect(await owner.evaluate(() => scene.write('mine'))).toBe(201);
    expect(endings()).toEqual([]);
    expect(stage.notes).toEqual(['mine']);
  });

  it('a proof that a script made in advance is good for minutes, not for later', async () => {
    await openOwner({ mode: 'bound' });
    const loot = await owner.evaluate(openVault);
    const token = { htm: 'POST', htu: `${stage.url}/token` };
    const { nonce } = await refreshAsThief('bound', loot, { dpop: await signElsewhere(token) });
    const inTime = await owner.evaluate(signInPlace, claimsFor({ ...token, nonce }));
    const kept = await owner.evaluate(signInPlace, claimsFor({ ...token, nonce }));
    // A stated limit: who can sign in the page can take a signature away, and the nonce bounds for how long.
    expect(await refreshAsThief('bound', loot, { dpop: inTime })).toMatchObject({ status: 200 });
    expect(await refreshAsThief('bound', loot, { dpop: inTime })).toMatchObject({ status: 400 });
    await later();
    expect(await refreshAsThief('bound', loot, { dpop: kept })).toMatchObject({
      status: 400,
      body: { error: 'use_dpop_nonce' },
    });
    expect(await owner.evaluate(() => scene.write('mine'))).toBe(201);
    expect(endings()).toEqual([]);
  });
});

describe('a refresh token stolen from a session that is not bound', () => {
  it('is locked when both have used it; one touch of the passkey brings the owner back, and the thief stays out', async () => {
    await openOwner({ mode: 'bearer', hasPasskeyStage: true });
    const stolen = await owner.evaluate(openVault);
    await later();
    const first = await refreshAsThief('bearer', stolen);
    expect(first).toMatchObject({ status: 200, body: { refresh_token: expect.any(String) } });
    const theirs = { ...stolen, refreshToken: String(first.body['refresh_token']) };
    // To the server that is what a lost answer looks like: the owner is answered, and gets a copy of its own.
    expect(await owner.evaluate(() => scene.write('first'))).toBe(201);
    await later();
    expect(await owner.evaluate(() => scene.write('second'))).toBe(201);
    await later();
    const second = await refreshAsThief('bearer', theirs);
    expect(second).toMatchObject({ status: 200, body: { refresh_token: expect.any(String) } });
    expect(endings()).toEqual([]);
    // Two copies of one generation have been used when the owner comes next.
    await later();
    const { fault, arrived, release } = holdAnswer();
    stage.meet('POST /authorize-challenge', fault);
    const parked = owner.evaluate(() => scene.write('parked'));
    await arrived;
    const locked = await owner.evaluate(() => scene.auth.getSnapshot());
    expect(locked).toMatchObject({
      status: 'reauthentication-required',
      reason: 'reuse-detected',
      stage: 'passkey',
      parkedRequests: 1,
    });
    expect(endings()).toEqual(['reuse']);
    expect(stage.notes).toEqual(['first', 'second']);
    // The browser asks for the passkey, and the user touches the authenticator.
    release();
    expect(await parked).toBe(201);
    expect(stage.notes).toEqual(['first', 'second', 'parked']);
    // All of the thief's refresh tokens, from first to last, are refused; the access tokens among it end by themselves.
    for (const refreshToken of [stolen.refreshToken, theirs.refreshToken, String(second.body['refresh_token'])])
      expect(await refreshAsThief('bearer', { ...stolen, refreshToken })).toMatchObject({
        status: 400,
        body: { error: 'invalid_grant' },
      });
    await later();
    expect(await readAsThief(`Bearer ${String(second.body['access_token'])}`)).toBe(401);
    expect(await owner.evaluate(() => scene.write('third'))).toBe(201);
    expect(endings()).toEqual(['reuse']);
  });
});
