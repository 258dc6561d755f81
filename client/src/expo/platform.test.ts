import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createAuthService, type AuthService, type AuthServiceOptions } from '../auth-service.ts';
import type { Platform, Signal } from '../core/ports.ts';
import { clockContract } from '../testing/clock-contract.ts';
import { cryptoContract, localCrypto } from '../testing/crypto-contract.ts';
import { createFakePhone, type FakePhone } from '../testing/fake-phone.ts';
import { localHolder, mutexContract } from '../testing/mutex-contract.ts';
import { announceContract, localAnnouncer, localListener, signalsContract } from '../testing/signals-contract.ts';
import { transportContract } from '../testing/transport-contract.ts';
import { createWorld, settle, type World } from '../testing/world.ts';
import { runBackgroundRefresh } from './background.ts';
import { processMutex } from './mutex.ts';
import { createExpoPlatform, type ExpoOptions, type ExpoPlatform } from './platform.ts';

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
mutexContract('the lock within an app', () => {
  const mutex = processMutex(`app ${++locks}`);
  return Promise.resolve({ open: () => Promise.resolve(localHolder(mutex)), close: () => Promise.resolve() });
});

describe('what the phone notices', () => {
  const listen = (phone: FakePhone): { readonly heard: Signal[]; readonly stop: () => void } => {
    const heard: Signal[] = [];
    const stop = createExpoPlatform(phone.modules).signals((signal) => heard.push(signal));
    return { heard, stop };
  };

  it('the app left and came back: the user has done something', () => {
    const phone = createFakePhone();
    const { heard } = listen(phone);
    phone.setAppState('inactive');
    phone.setAppState('background');
    phone.setAppState('inactive');
    phone.setAppState('active');
    expect(heard).toEqual(['background', 'user-active', 'foreground']);
  });

  it('a prompt in front of the app is no coming back: it would ask for the next one', () => {
    const phone = createFakePhone();
    const { heard } = listen(phone);
    phone.setAppState('inactive');
    phone.setAppState('active');
    expect(heard).toEqual([]);
  });

  it('started by the system, in the background: that is nobody opening the app', () => {
    const phone = createFakePhone();
    phone.setAppState('background');
    const { heard } = listen(phone);
    expect(heard).toEqual(['background']);
    phone.setAppState('active');
    expect(heard).toEqual(['background', 'user-active', 'foreground']);
  });

  it('the network went and came; the same news twice is no news', async () => {
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

  it('there is no network from the start', async () => {
    const phone = createFakePhone();
    phone.setOnline(false);
    const { heard } = listen(phone);
    await settle();
    expect(heard).toEqual(['offline']);
  });
});

/** An app on a phone, in a world whose time and server the test holds. */
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

  it('keeps its user through a night in a pocket: away, locked, expired, opened', async () => {
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

  it('started before the first unlock, it waits, and finds its user when it is opened', async () => {
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

  it('whose refresh token is gone from the keychain asks for a sign-in, and sends no empty token', async () => {
    const { auth } = await signIn();
    for (const name of phone.items.keys()) if (name.includes('.token.')) phone.items.delete(name);
    await minutes(30);
    expect(auth.getSnapshot()).toMatchObject({ status: 'reauth-required', reason: 'storage-lost' });
    expect(world.server.refreshes()).toBe(0);
  });

  describe('behind Face ID', () => {
    const guarded = { protection: 'biometric' } as const;
    const relaunch = async (): Promise<App> => {
      (await signIn(guarded)).auth.dispose();
      return open(guarded);
    };

    it('asks for the face once at its start, and not for each refresh', async () => {
      const { auth } = await relaunch();
      await minutes(60);
      expect(auth.getSnapshot()).toMatchObject({ status: 'active' });
      expect(world.server.refreshes()).toBeGreaterThan(3);
      expect(phone.prompts).toBe(1);
    });

    it('declined, it does not ask again by itself, signs nobody out, and asks when the user wants it', async () => {
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

    it('locked out, it asks again when the app was left and came back', async () => {
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

    it('answered after a minute, one prompt is enough', async () => {
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

    it('another face was enrolled: the session is authenticated again, not shown to whoever it is', async () => {
      (await signIn(guarded)).auth.dispose();
      phone.enrolment++;
      const { auth } = open(guarded);
      await minutes(30);
      expect(auth.getSnapshot()).toMatchObject({ status: 'reauth-required', user: { sub: 'user-1' } });
      await auth.signIn({ username: 'ada', password: 'secret' });
      expect(auth.getSnapshot()).toMatchObject({ status: 'active' });
    });

    it('another face was enrolled while the app ran: it goes on until its next start, and sends no empty token', async () => {
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

    it('refreshes while the phone is locked, and not as the user’s activity', async () => {
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

    it('leaves a token alone that is good for longer', async () => {
      (await signIn(background)).auth.dispose();
      phone.setAppState('background');
      const outcome = runBackgroundRefresh(open(background).auth);
      await minutes(0);
      expect(await outcome).toBe('not-needed');
      expect(world.server.refreshes()).toBe(0);
    });

    it('says that it could not, when the keychain is locked to it, and signs nobody out', async () => {
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

    it('ends when the system says so, and the session goes on later', async () => {
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

    it('says that nobody is signed in, or that the user has to come', async () => {
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
  it('go to the console when nobody takes them', async () => {
    const said = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const phone = createFakePhone();
    phone.storage = 'no-entitlement';
    await expect(createExpoPlatform(phone.modules).vault.read()).rejects.toMatchObject({ code: 'storage-unavailable' });
    expect(said).toHaveBeenCalledWith(expect.stringContaining('entitlement'));
    said.mockRestore();
  });
});
