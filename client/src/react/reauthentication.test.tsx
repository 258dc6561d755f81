// @vitest-environment happy-dom
// These tests keep a user signed in who mistyped a password or cannot use a passkey.
import { act, type ReactElement } from 'react';
import { describe, expect, it } from 'vitest';
import { sessionPolicy } from '../core/policy.ts';
import type { HttpRequest, SignInMethod, Vault } from '../index.ts';
import { mount } from '../testing/mount.tsx';
import { createWorld, json, settle } from '../testing/world.ts';
import { useExpiryWarning, useReauthentication, useSignIn, type Reauthentication, type SignIn } from './index.ts';

const ada = { username: 'ada', password: 'secret' };
const refused: SignInMethod = () => Promise.resolve({ kind: 'rejected', more: {} });
const throws =
  (name: string): SignInMethod =>
  () =>
    Promise.reject(new DOMException('no', name));

/** A session that the server has ended, and its reauthentication. */
async function setUp(reauthentication: readonly ('passkey' | 'password')[] = ['passkey', 'password']) {
  const world = createWorld();
  const { transport } = world;
  let isWrong = false;
  const ports = {
    transport: (...args: Parameters<typeof transport>) =>
      isWrong && args[0].url.endsWith('/authorize-challenge')
        ? Promise.resolve(json(400, { error: 'access_denied' }))
        : transport(...args),
  };
  const { auth } = await world.openSignedInTab({ reauthentication }, ports);
  let current: Reauthentication | null = null;
  function Sheet(): ReactElement {
    current = useReauthentication();
    return <p>{current === null ? 'none' : `${current.stage} ${current.reason}`}</p>;
  }
  const { text } = mount(auth, <Sheet />);
  expect(text()).toBe('none');
  world.server.answers.push(json(400, { error: 'invalid_grant', reason: 'revoked' }));
  await act(() => {
    auth.extend();
    return world.time.advance(0);
  });
  return {
    ...world,
    auth,
    text,
    sheet: (): Reauthentication => {
      if (current === null) throw new Error('no reauthentication is asked for');
      return current;
    },
    refusePasswords: (isRefusing: boolean) => (isWrong = isRefusing),
  };
}

describe('useReauthentication', () => {
  it('continues the session after the first stage', async () => {
    const { auth, text, sheet } = await setUp();
    expect(text()).toBe('passkey revoked');
    expect(sheet()).toMatchObject({
      user: { sub: 'user-1' },
      parkedRequests: 0,
      laterStages: ['password'],
      failed: [],
    });
    await act(() => sheet().submit(ada));
    expect(text()).toBe('none');
    expect(auth.getSnapshot().status).toBe('active');
  });

  it.each([
    [throws('NotAllowedError'), 'cancelled'],
    [throws('NotSupportedError'), 'unavailable'],
    [refused, 'failed'],
  ] as const)('moves to the password stage after a failed passkey, and tells why (%#)', async (method, why) => {
    const { text, sheet } = await setUp();
    expect(await act(() => sheet().submit(method))).toBe(false);
    expect(text()).toBe('password revoked');
    expect(sheet().failed).toEqual([{ stage: 'passkey', why }]);
    expect(sheet().error).toBeInstanceOf(Error);
  });

  it('a double click on `submit` authenticates once, and does not decline the stage', async () => {
    const { auth, text, sheet } = await setUp();
    let calls = 0;
    let finish = (): void => {};
    const waits: SignInMethod = async (ask) => {
      calls++;
      await new Promise<void>((resolve) => (finish = resolve));
      return ask({});
    };
    const { submit } = sheet();
    let outcomes: Promise<readonly boolean[]> = Promise.resolve([]);
    await act(async () => {
      outcomes = Promise.all([submit(waits), submit(waits)]);
      await settle();
    });
    expect(text()).toBe('passkey revoked');
    await act(async () => (finish(), settle()));
    expect(await outcomes).toEqual([true, false]);
    expect(auth.getSnapshot().status).toBe('active');
    // The rendered form is gone, and its last click comes late.
    expect(await act(() => submit(waits))).toBe(false);
    expect(calls).toBe(1);
  });

  it('a late click on a stage that is over starts nothing', async () => {
    const { text, sheet } = await setUp();
    const { submit } = sheet();
    await act(() => submit(throws('NotAllowedError')));
    expect(text()).toBe('password revoked');
    let calls = 0;
    const counted: SignInMethod = () => (calls++, Promise.resolve({ kind: 'rejected', more: {} }));
    expect(await act(() => submit(counted))).toBe(false);
    expect(calls).toBe(0);
    expect(text()).toBe('password revoked');
  });

  it('stays at the passkey stage if the server is unreachable', async () => {
    const { text, server, sheet } = await setUp();
    server.answers.push('network-error');
    await act(() => sheet().submit((ask) => ask({})));
    expect(text()).toBe('passkey revoked');
    expect(sheet().error).toMatchObject({ code: 'server-unavailable' });
  });

  it('stays at the passkey stage if it is the last one, so that a declined prompt does not sign the user out', async () => {
    const { text, sheet } = await setUp(['passkey']);
    await act(() => sheet().submit(throws('NotAllowedError')));
    expect(text()).toBe('passkey revoked');
  });

  it('lets the user correct a wrong password, and clears the error afterwards', async () => {
    const { auth, text, sheet, refusePasswords, server, time } = await setUp(['password']);
    refusePasswords(true);
    expect(await act(() => sheet().submit(ada))).toBe(false);
    expect(text()).toBe('password revoked');
    expect(sheet().error).toMatchObject({ code: 'sign-in-rejected' });
    refusePasswords(false);
    // The user signs in with another form or in another tab.
    await act(() => auth.signIn(ada));
    server.answers.push(json(400, { error: 'invalid_grant', reason: 'revoked' }));
    await act(() => {
      auth.extend();
      return time.advance(0);
    });
    expect(sheet().error).toBeNull();
  });

  it('skips one stage, and signs the user out on `cancel`', async () => {
    const { auth, text, sheet } = await setUp();
    const { skip } = sheet();
    // An effect runs twice under StrictMode.
    await act(async () => (skip(), skip()));
    expect(text()).toBe('password revoked');
    expect(sheet().failed).toEqual([{ stage: 'passkey', why: 'unavailable' }]);
    await act(async () => sheet().cancel());
    expect(text()).toBe('none');
    expect(auth.getSnapshot()).toMatchObject({ status: 'signed-out', reason: 'reauthentication-failed' });
  });
});

describe('useSignIn', () => {
  it('runs one try at a time, and shows its error', async () => {
    const world = createWorld();
    const sent: HttpRequest[] = [];
    const { auth } = world.openTab(
      {},
      {
        transport: (request, signal) => {
          sent.push(request);
          return world.transport(request, signal);
        },
      },
    );
    await auth.ready();
    let form: SignIn | null = null;
    function Form(): ReactElement {
      form = useSignIn();
      return <p>{form.isPending ? 'pending' : (form.error?.message ?? 'idle')}</p>;
    }
    const { text } = mount(auth, <Form />);
    const get = (): SignIn => {
      if (form === null) throw new Error('not rendered');
      return form;
    };
    await act(() => get().signIn(refused));
    expect(text()).toBe('sign-in-rejected');
    const both = await act(() => Promise.all([get().signIn(ada), get().signIn(ada)]));
    expect(both).toEqual([true, false]);
    expect(sent.filter(({ url }) => url.endsWith('/token'))).toHaveLength(1);
    expect(text()).toBe('idle');
  });
});

describe('useExpiryWarning', () => {
  it('counts down the last seconds, and stops once the session is extended', async () => {
    const world = createWorld();
    const { server, time } = world;
    server.extra = { sid: 'session-1', sub: 'user-1', refresh_token_timeout: 600 };
    server.lifetimeSeconds = 3_000;
    const { auth } = await world.openSignedInTab({ policy: sessionPolicy({ expiryWarningsMs: [60_000] }) });
    let extend = (): void => {};
    function Warning(): ReactElement {
      const warning = useExpiryWarning();
      if (warning) ({ extend } = warning);
      return (
        <p>{warning === null ? 'quiet' : `${warning.secondsLeft} s${warning.isExtending ? ', extending' : ''}`}</p>
      );
    }
    const { text } = mount(auth, <Warning />);
    await act(() => time.advance(539_000));
    expect(text()).toBe('quiet');
    await act(() => time.advance(1_000));
    expect(text()).toBe('60 s');
    await act(() => time.advance(57_500));
    expect(text()).toBe('3 s');
    server.delayMs = 1_000;
    await act(() => {
      extend();
      return time.advance(500);
    });
    expect(text()).toBe('2 s, extending');
    await act(() => time.advance(1_000));
    expect(text()).toBe('quiet');
  });

  it('stays at 0 after the session has ended', async () => {
    const world = createWorld();
    world.server.extra = { sid: 'session-1', sub: 'user-1', refresh_token_timeout: 600 };
    world.server.lifetimeSeconds = 3_000;
    const { auth } = await world.openSignedInTab();
    const Warning = (): ReactElement => <p>{useExpiryWarning()?.secondsLeft ?? 'quiet'}</p>;
    const { text } = mount(auth, <Warning />);
    await act(() => world.time.advance(700_000));
    expect(text()).toBe('0');
  });

  it('is not extendable at the end of the absolute lifetime', async () => {
    const world = createWorld();
    world.server.extra = { sid: 'session-1', sub: 'user-1', authorization_expires_in: 600 };
    const { auth } = await world.openSignedInTab();
    const Warning = (): ReactElement => <p>{String(useExpiryWarning()?.isExtendable)}</p>;
    const { text } = mount(auth, <Warning />);
    await act(() => world.time.advance(500_000));
    expect(text()).toBe('false');
  });
});

it('`cancel` returns although a sign-in is being stored', async () => {
  const world = createWorld();
  let isSlow = false;
  const compareAndSwap: Vault['compareAndSwap'] = async (version, next) => {
    if (isSlow) await new Promise<void>((resolve) => void world.time.clock.wake(2_000, resolve));
    return world.vault.compareAndSwap(version, next);
  };
  const { auth } = await world.openSignedInTab({}, { vault: { ...world.vault, compareAndSwap } });
  let declined = 0;
  const counted: typeof auth = {
    ...auth,
    declineReauthentication: (why) => {
      if (++declined > 100) throw new Error('for ever');
      auth.declineReauthentication(why);
    },
  };
  const seen: { sheet: Reauthentication | null } = { sheet: null };
  function Sheet(): ReactElement {
    seen.sheet = useReauthentication();
    return <p />;
  }
  mount(counted, <Sheet />);
  world.server.answers.push(json(400, { error: 'invalid_grant' }));
  await act(() => {
    auth.extend();
    return world.time.advance(0);
  });
  isSlow = true;
  await act(async () => {
    void seen.sheet?.submit({ username: 'ada', password: 'secret' });
    await settle();
  });
  expect(() => act(() => seen.sheet?.cancel())).not.toThrow();
  await act(() => world.time.advance(60_000));
  expect(auth.getSnapshot().status).toBe('active');
});
