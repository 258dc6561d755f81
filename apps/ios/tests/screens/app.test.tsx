import { demoUser, passTime, startApp, startSignedIn } from './app.tsx';
import { createPhone, type Phone } from './phone.ts';

// The real screens with the real client, against the real server over loopback. What is fake is the phone.

let phone: Phone;
beforeEach(() => {
  phone = createPhone();
});

const minutes = (count: number): number => count * 60_000;

/** A refresh token as it lies in the phone's keychain. */
const tokens = (): string[] =>
  [...phone.items].filter(([name]) => name.includes('.token.')).map(([, { value }]) => value);

describe('signing in', () => {
  it('tells a wrong password from a right one, and keeps what was typed', async () => {
    const app = startApp(phone);
    await app.type('User name', demoUser.username);
    await app.type('Password', 'wrong');
    await app.press('Sign in');
    await app.see('That did not match');
    await app.type('Password', demoUser.password);
    await app.press('Sign in');
    await app.see('Signed in as Demo User');
  });

  it('is done once: the app that is started again finds its user, offline and at once', async () => {
    (await startSignedIn(phone)).end();
    const offline = (): Promise<Response> => Promise.reject(new TypeError('Network request failed'));
    await startApp(phone, offline).see('Signed in as Demo User');
  });

  it('ends with signing out: nothing is left in the keychain', async () => {
    const app = await startSignedIn(phone);
    await app.press('Sign out');
    await app.see('You have signed out');
    await app.waitFor(() => expect(tokens()).toEqual([]));
    app.end();
    await startApp(phone).see('You have signed out');
  });

  it('before the app is removed: after a new installation no user is signed in', async () => {
    (await startSignedIn(phone)).end();
    phone.files.clear();
    await startApp(phone).see('Sessions that hold.');
    await new Promise((resolve) => setImmediate(resolve));
    expect(tokens()).toEqual([]);
  });
});

describe('a phone that is locked', () => {
  it.each(['locked', 'before-first-unlock', 'prewarmed'] as const)(
    '%s, when the app is started: the session is there once the phone is unlocked and the app opened',
    async (lock) => {
      (await startSignedIn(phone)).end();
      phone.setAppState('background');
      phone.lock = lock;
      const app = startApp(phone);
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(app.sees('Sessions that hold.')).toBe(false);
      phone.lock = 'unlocked';
      phone.setAppState('active');
      await app.see('Signed in as Demo User');
    },
  );
});

describe('a token that expires', () => {
  it('while the app is away: it is renewed when the app comes back, and the user sees nothing of it', async () => {
    const app = await startSignedIn(phone);
    const before = app.auth.getSnapshot();
    phone.setAppState('background');
    passTime(minutes(20));
    phone.setAppState('active');
    await app.waitFor(() => expect(app.auth.getSnapshot()).not.toEqual(before));
    await app.type('New note', 'After the nap');
    await app.press('Add');
    await app.see('After the nap');
    expect(app.auth.getSnapshot()).toMatchObject({ status: 'active', freshness: 'verified' });
  });

  it('refused by the server: the note is parked, one refresh is made, the note arrives', async () => {
    const app = await startSignedIn(phone);
    const seen: string[] = [];
    app.auth.observe(({ type }) => seen.push(type));
    await app.press('Session');
    await app.press('Let it expire');
    await app.see(/^Done\. The app does not know yet/u);
    await app.press('Fire 20 requests');
    await app.see(/^20 of 20 answered in .* This app sent 1 refresh\.$/u);
    expect(seen.filter((type) => type === 'refresh.sent')).toHaveLength(1);
  });
});

describe('without a network', () => {
  it('a note waits for the network, and the screen says so; it arrives when the phone is back', async () => {
    let isCut = false;
    const app = await startSignedIn(phone);
    const send = globalThis.fetch;
    globalThis.fetch = (...request) =>
      isCut ? Promise.reject(new TypeError('Network request failed')) : send(...request);
    await app.press('Session');
    await app.press('Let it expire');
    await app.see(/^Done\. The app does not know yet/u);
    await app.press('Notes');
    passTime(minutes(20));
    isCut = true;
    phone.setOnline(false);
    await app.see('You are offline');
    await app.type('New note', 'Written in a tunnel');
    await app.press('Add');
    await app.see('Waiting for the network');
    await app.see(/^Write on: it waits here, .*1 request waits for the network\.$/u);
    await app.press('Session');
    await app.press('Renew now');
    await app.see('Not renewed yet: the server is out of reach. It is tried again.');
    isCut = false;
    phone.setOnline(true);
    await app.see('Renewed: a new access token is here.');
    await app.press('Notes');
    await app.waitFor(() => expect(app.sees('Waiting for the network')).toBe(false));
    expect(app.sees('You are offline')).toBe(false);
    await app.see('Written in a tunnel');
  });
});

describe('a server that is down while the token lives', () => {
  it('the session says so after the first request that fails, and says when it is back', async () => {
    const app = await startSignedIn(phone);
    const send = globalThis.fetch;
    let isDown = true;
    globalThis.fetch = (...request) =>
      isDown ? Promise.resolve(new Response('', { status: 503, headers: { 'retry-after': '1' } })) : send(...request);
    await app.press('Session');
    await app.see('The server has confirmed this session.');
    await app.press('Notes');
    await app.type('New note', 'Written while it was down');
    await app.press('Add');
    await app.press('Session');
    await app.see('It did not answer the last request. The session stays.');
    expect(app.sees('The server has confirmed this session.')).toBe(false);
    isDown = false;
    await app.see('The server has confirmed this session.');
  });
});

describe('the twenty requests', () => {
  it('show how each stands by a glyph, not by its colour alone', async () => {
    const app = await startSignedIn(phone);
    await app.press('Session');
    // The legend alone, before anything is sent.
    const shown = (text: string): number => app.screen.queryAllByText(text, { includeHiddenElements: true }).length;
    for (const text of ['✓', 'sent', 'waiting', 'sent again', 'done', 'failed'])
      expect([text, shown(text)]).toEqual([text, 1]);
    await app.press('Let it expire');
    await app.see(/^Done\. The app does not know yet/u);
    await app.press('Fire 20 requests');
    await app.see(/^20 of 20 answered/u);
    expect(shown('✓')).toBe(21);
    app.screen.getByLabelText('20 of 20 requests done, 0 waiting, 0 sent again, 0 failed');
  });
});

describe('in the background', () => {
  const run = (): Promise<unknown> => {
    const [task] = phone.tasks.values();
    if (task === undefined) throw new Error('the app has no task');
    return task();
  };

  it('the system starts the app while the phone is locked: the session is renewed', async () => {
    (await startSignedIn(phone)).end();
    const before = [...phone.items.values()].map(({ value }) => value).join('');
    passTime(minutes(20));
    phone.setAppState('background');
    phone.lock = 'locked';
    startApp(phone);
    expect(await run()).toBe(1);
    expect([...phone.items.values()].map(({ value }) => value).join('')).not.toBe(before);
  });

  it('the system takes the time back: the task has failed, and the session is as it was', async () => {
    (await startSignedIn(phone)).end();
    passTime(minutes(20));
    phone.setAppState('background');
    const silence = jest.fn(() => new Promise<Response>(() => {}));
    const app = startApp(phone, silence);
    const outcome = run();
    await app.waitFor(() => expect(silence).toHaveBeenCalled());
    for (const expire of phone.expirationListeners) expire();
    expect(await outcome).toBe(2);
    app.end();
    phone.setAppState('active');
    await startApp(phone).see('Signed in as Demo User');
  });
});

describe('a session that the server has ended', () => {
  /** Ends it behind the app's back, and writes a note that has to wait. */
  async function loseSession() {
    const app = await startSignedIn(phone);
    await app.press('Security');
    await app.press('Add a passkey');
    await app.see('Added. Next time, sign in with it.');
    await app.press('Session');
    await app.press('Revoke');
    await app.see('Revoked. Nothing has changed here yet.');
    await app.press('Refresh now');
    await app.see('Sign in to go on');
    return app;
  }

  it('goes on after Face ID, with a passkey that the server has checked', async () => {
    const app = await loseSession();
    await app.press('Use Face ID or passkey');
    await app.waitFor(() => expect(app.sees('Sign in to go on')).toBe(false));
    expect(app.auth.getSnapshot()).toMatchObject({ status: 'active' });
    await app.press('Security');
    await app.see(/by passkey$/u);
  });

  it.each([
    ['cancelled', 'ERR_USER_CANCELLED', 'No passkey was used'],
    ['locked out after too many tries', 'ERR_PASSKEY_REQUEST_FAILED', 'No passkey was used'],
    ['no face is enrolled any more', 'ERR_BIOMETRIC', 'Passkeys do not work on this phone'],
    ['the site does not know the app', 'ERR_NOT_CONFIGURED', 'Passkeys do not work with this server yet'],
  ] as const)('Face ID %s: the password is next, and what waited goes on', async (_what, code, title) => {
    const app = await loseSession();
    const waiting = app.auth.getAccessToken();
    await app.see('1 request is parked');
    phone.passkeyAnswer = code;
    await app.press('Use Face ID or passkey');
    await app.see(title);
    await app.type('Password', demoUser.password);
    await app.press('Sign in and go on');
    expect(await waiting).toContain('.');
    await app.waitFor(() => expect(app.sees('Sign in to go on')).toBe(false));
    expect(app.auth.getSnapshot()).toMatchObject({ status: 'active' });
  });

  it('is over when the user would rather sign out', async () => {
    const app = await loseSession();
    await app.press('Sign out instead');
    await app.see('You are signed out');
    await app.waitFor(() => expect(tokens()).toEqual([]));
  });
});

describe('the user’s passkeys', () => {
  it('are added, renamed and removed', async () => {
    const app = await startSignedIn(phone);
    await app.press('Security');
    await app.type('Name of the new passkey', 'Phone of a test');
    await app.press('Add a passkey');
    await app.press('Rename Phone of a test');
    await app.type('New name of Phone of a test', 'Renamed');
    await app.press('Save');
    await app.press('Remove Renamed');
    await app.press('Remove it');
    await app.waitFor(() => expect(app.sees('Renamed')).toBe(false));
  });
});

describe('the user’s devices', () => {
  it('lists this phone, and signs out another one', async () => {
    (await startSignedIn(createPhone())).end();
    const app = await startSignedIn(phone);
    await app.press('Security');
    await app.see('This device');
    await app.press('Sign out everywhere else');
    await app.see(/other devices? (?:was|were) signed out\.$/u);
  });
});
