import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createAuthService, type AuthService, type AuthServiceOptions } from '../auth-service.ts';
import type { Platform, Signal } from '../core/ports.ts';
import { clockContract } from '../testing/clock-contract.ts';
import { cryptoContract, localCrypto } from '../testing/crypto-contract.ts';
import { createFakePhone, type FakePhone } from '../testing/fake-phone.ts';
import { localHolder, refreshLockContract } from '../testing/refresh-lock-contract.ts';
import { announceContract, localAnnouncer, localListener, signalsContract } from '../testing/signals-contract.ts';
import { transportContract } from '../testing/transport-contract.ts';
import { createWorld, settle, type World } from '../testing/world.ts';
import { runBackgroundRefresh } from './background.ts';
import { createExpoPlatform, type ExpoOptions, type ExpoPlatform } from './platform.ts';
import { processRefreshLock } from './refresh-lock.ts';

clockContract('the clock of a phone', createExpoPlatform(createFakePhone().modules).clock);
transportContract('the transport of a phone', createExpoPlatform(createFakePhone().modules).transport);
cryptoContract('a phone', () => localCrypto(createExpoPlatform(createFakePhone().modules)));

signalsContract('a phone', ['background', 'foreground', 'user-active', 'offline', 'online'], () => {
  const phone = createFakePhone();
  return Promise.resolve({
    listen: () => localListener(createExpoPlatform(phone.modules).signals),
    cause: async (signal) => {
      await settle();
      if (signal === 'offline' || signal === 'online') phone.setOnline(false);
      else phone.setAppState('background');
      if (signal === 'online') phone.setOnline(true);
      if (signal === 'foreground' || signal === 'user-active') phone.setAppState('active');
    },
    close: () => Promise.resolve(),
  });
});

announceContract('an app', false, () => {
  const phone = createFakePhone();
  return Promise.resolve({
    open: () => localAnnouncer(createExpoPlatform(phone.modules)),
    close: () => Promise.resolve(),
  });
});

let locks = 0;
refreshLockContract('the lock within an app', () => {
  const refreshLock = processRefreshLock(`app ${++locks}`);
  return Promise.resolve({ open: () => Promise.resolve(localHolder(refreshLock)), close: () => Promise.resolve() });
});

describe('signals of a phone', () => {
  const listen = (phone: FakePhone): { readonly heard: Signal[]; readonly stop: () => void } => {
    const heard: Signal[] = [];
    const stop = createExpoPlatform(phone.modules).signals((signal) => heard.push(signal));
    return { heard, stop };
  };

  it('an app that comes back from the background emits user activity', () => {
    const phone = createFakePhone();
    const { heard } = listen(phone);
    phone.setAppState('inactive');
    phone.setAppState('background');
    phone.setAppState('inactive');
    phone.setAppState('active');
    expect(heard).toEqual(['background', 'user-active', 'foreground']);
  });

  it('a prompt in front of the app emits nothing, because a signal would cause another prompt', () => {
    const phone = createFakePhone();
    const { heard } = listen(phone);
    phone.setAppState('inactive');
    phone.setAppState('active');
    expect(heard).toEqual([]);
  });

  it('a start by the system in the background emits no user activity', () => {
    const phone = createFakePhone();
    phone.setAppState('background');
    const { heard } = listen(phone);
    expect(heard).toEqual(['background']);
    phone.setAppState('active');
    expect(heard).toEqual(['background', 'user-active', 'foreground']);
  });

  it('each change of the network emits one signal', async () => {
    const phone = createFakePhone();
    const { heard, stop } = listen(phone);
    await settle();
    for (const isOnline of [true, false, false, true]) phone.setOnline(isOnline);
    expect(heard).toEqual(['offline', 'online']);
    stop();
    phone.setOnline(false);
    phone.setAppState('background');
    expect(heard).toEqual(['offline', 'online']);
  });

  it('a start without network emits `offline`', async () => {
    const phone = createFakePhone();
    phone.setOnline(false);
    const { heard } = listen(phone);
    await settle();
    expect(heard).toEqual(['offline']);
  });
});

/** An app on a phone, in a world whose time and server the test controls. */
type App = { readonly auth: AuthService; readonly platform: ExpoPlatform };

describe('an app on a phone', () => {
  let world: World;
  let phone: FakePhone;
  const services: AuthService[] = [];
  beforeEach(() => {
    world = createWorld('body');
    phone = createFakePhone();
  });
  afterEach(() => {
    for (const service of services.splice(0)) service.dispose();
  });

  const open = (options: ExpoOptions = {}, more: Partial<AuthServiceOptions> = {}): App => {
    const platform = createExpoPlatform(phone.modules, { name: 'app', onWarning: () => {}, ...options });
    const inWorld = (ports: Platform): Platform => ({
      ...ports,
      clock: world.time.clock,
      transport: world.transport,
      random: () => 0.5,
      forApp: (app) => inWorld(platform.forApp?.(app) ?? platform),
    });
    const auth = createAuthService({
      issuer: 'https://api.example.com',
      clientId: 'app',
      platform: inWorld(platform),
      ...more,
    });
    services.push(auth);
    return { auth, platform };
  };
  const signIn = async (options: ExpoOptions = {}): Promise<App> => {
    const app = open(options);
    await app.auth.signIn({ username: 'ada', password: 'secret' });
    return app;
  };
  const minutes = (count: number): Promise<void> => world.time.advance(count * 60_000);

  it('keeps its user signed in after a night in the background on a locked phone', async () => {
    const { auth } = await signIn();
    phone.setAppState('background');
    phone.lock = 'locked';
    await minutes(8 * 60);
    expect(auth.getSnapshot()).toMatchObject({ status: 'active' });
    expect(world.server.refreshes()).toBe(0);
    phone.lock = 'unlocked';
    phone.setAppState('active');
    await minutes(0);
    expect(auth.getSnapshot()).toMatchObject({ status: 'active', freshness: 'verified' });
    expect(world.server.refreshes()).toBe(1);
  });

  it('started before the first unlock, it keeps restoring and finds its user once it is opened', async () => {
    (await signIn()).auth.dispose();
    phone.lock = 'prewarmed';
    phone.setAppState('background');
    const { auth } = open();
    await minutes(10);
    expect(auth.getSnapshot()).toEqual({ status: 'restoring' });
    phone.lock = 'unlocked';
    phone.setAppState('active');
    await minutes(2);
    expect(auth.getSnapshot()).toMatchObject({ status: 'active', user: { sub: 'user-1' } });
  });

  it('asks for a sign-in if the refresh token is gone from the keychain, and sends no refresh without it', async () => {
    const { auth } = await signIn();
    for (const name of phone.items.keys()) if (name.includes('.token.')) phone.items.delete(name);
    await minutes(30);
    expect(auth.getSnapshot()).toMatchObject({ status: 'reauthentication-required', reason: 'storage-lost' });
    expect(world.server.refreshes()).toBe(0);
  });

  describe('behind Face ID', () => {
    const guarded = { protection: 'biometric' } as const;
    const relaunch = async (): Promise<App> => {
      (await signIn(guarded)).auth.dispose();
      return open(guarded);
    };

    it('prompts once at its start, not at each refresh', async () => {
      const { auth } = await relaunch();
      await minutes(60);
      expect(auth.getSnapshot()).toMatchObject({ status: 'active' });
      expect(world.server.refreshes()).toBeGreaterThan(3);
      expect(phone.prompts).toBe(1);
    });

    it('prompts again after a declined prompt only when the user asks for it, and stays signed in', async () => {
      (await signIn(guarded)).auth.dispose();
      phone.face = 'cancelled';
      const { auth, platform } = open(guarded);
      await minutes(10);
      expect(phone.prompts).toBe(1);
      expect(auth.getSnapshot()).toEqual({ status: 'restoring' });
      phone.face = 'recognised';
      platform.unlock();
      await minutes(2);
      expect(phone.prompts).toBe(2);
      expect(auth.getSnapshot()).toMatchObject({ status: 'active' });
    });

    it('prompts again after a lockout once the app was in the background', async () => {
      (await signIn(guarded)).auth.dispose();
      phone.face = 'locked-out';
      const { auth } = open(guarded);
      await minutes(5);
      phone.face = 'recognised';
      phone.setAppState('background');
      phone.setAppState('active');
      await minutes(2);
      expect(phone.prompts).toBe(2);
      expect(auth.getSnapshot()).toMatchObject({ status: 'active' });
    });

    it('restores the session with one prompt that takes a minute', async () => {
      (await signIn(guarded)).auth.dispose();
      phone.face = 'waits';
      const { auth } = open(guarded);
      await minutes(1);
      phone.face = 'recognised';
      phone.answerPrompt();
      await minutes(2);
      expect(phone.prompts).toBe(1);
      expect(auth.getSnapshot()).toMatchObject({ status: 'active' });
    });

    it('requires reauthentication after another face was enrolled', async () => {
      (await signIn(guarded)).auth.dispose();
      phone.enrolment++;
      const { auth } = open(guarded);
      await minutes(30);
      expect(auth.getSnapshot()).toMatchObject({ status: 'reauthentication-required', user: { sub: 'user-1' } });
      await auth.signIn({ username: 'ada', password: 'secret' });
      expect(auth.getSnapshot()).toMatchObject({ status: 'active' });
    });

    it('stays signed in if another face is enrolled while the app runs, and sends no refresh without a token', async () => {
      const { auth } = await relaunch();
      await minutes(1);
      phone.enrolment++;
      await minutes(30);
      expect(auth.getSnapshot()).toMatchObject({ status: 'active' });
      expect(
        world.server.requests.every((form) => form.get('grant_type') !== 'refresh_token' || form.has('refresh_token')),
      ).toBe(true);
    });
  });

  describe('in the background', () => {
    const background = { protection: 'after-first-unlock' } as const;

    it('refreshes while the phone is locked, without counting it as user activity', async () => {
      (await signIn(background)).auth.dispose();
      await minutes(30);
      phone.setAppState('background');
      phone.lock = 'locked';
      const { auth } = open(background);
      const outcome = runBackgroundRefresh(auth);
      await minutes(0);
      expect(await outcome).toBe('refreshed');
      expect(world.server.requests.at(-1)?.get('user_active')).toBe('false');
    });

    it('sends no refresh while the access token is valid', async () => {
      (await signIn(background)).auth.dispose();
      phone.setAppState('background');
      const outcome = runBackgroundRefresh(open(background).auth);
      await minutes(0);
      expect(await outcome).toBe('not-needed');
      expect(world.server.refreshes()).toBe(0);
    });

    it('resolves as `unavailable` with a locked keychain, and keeps the session', async () => {
      (await signIn()).auth.dispose();
      await minutes(30);
      phone.setAppState('background');
      phone.lock = 'locked';
      const { auth } = open();
      const outcome = runBackgroundRefresh(auth);
      await minutes(1);
      expect(await outcome).toBe('unavailable');
      expect(auth.getSnapshot()).toEqual({ status: 'restoring' });
      expect(world.server.refreshes()).toBe(0);
    });

    it('resolves as `unavailable` when the system ends the task, and the session continues later', async () => {
      (await signIn(background)).auth.dispose();
      await minutes(30);
      world.server.answers.push('silence');
      phone.setAppState('background');
      const { auth } = open(background);
      const expiration = new AbortController();
      const outcome = runBackgroundRefresh(auth, { signal: expiration.signal });
      await minutes(0);
      expiration.abort();
      expect(await outcome).toBe('unavailable');
      phone.setAppState('active');
      await minutes(2);
      expect(auth.getSnapshot()).toMatchObject({ status: 'active', freshness: 'verified' });
    });

    it('resolves as `signed-out` without a session, and after the server ended it', async () => {
      const nobody = runBackgroundRefresh(open(background).auth);
      await minutes(0);
      expect(await nobody).toBe('signed-out');
      (await signIn(background)).auth.dispose();
      await minutes(30);
      world.server.answers.push({
        status: 400,
        headers: { 'content-type': 'application/json' },
        body: '{"error":"invalid_grant","reason":"revoked"}',
      });
      const ended = runBackgroundRefresh(open(background).auth);
      await minutes(0);
      expect(await ended).toBe('signed-out');
    });
  });
});

describe('warnings', () => {
  it('go to the console by default', async () => {
    const said = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const phone = createFakePhone();
    phone.storage = 'no-entitlement';
    await expect(createExpoPlatform(phone.modules).vault.read()).rejects.toMatchObject({ code: 'storage-unavailable' });
    expect(said).toHaveBeenCalledWith(expect.stringContaining('entitlement'));
    said.mockRestore();
  });
});
