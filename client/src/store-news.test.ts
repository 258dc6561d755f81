import { describe, expect, it } from 'vitest';
import type { AuthService } from './auth-service.ts';
import { sessionPolicy } from './core/policy.ts';
import type { Vault } from './core/ports.ts';
import { watchedSignals } from './platform/watched-signals.ts';
import { proofSigner } from './runtime/dpop.ts';
import { createWorld, settle, type Tab, type World } from './testing/world.ts';

// A tab, a worker or a second process holds the session. Another one signs out, and the next user signs in. Once the
// news has arrived, or after a pause of a second, the first user's token is not sent any more.

const api = 'https://api.example.com';
const unheard = { announce: () => {} };

/** An API that notes the tokens that it was sent. */
function apiOf() {
  const sent: (string | null)[] = [];
  const fetch = (_input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    sent.push(new Headers(init?.headers).get('authorization'));
    return Promise.resolve(new Response('fine'));
  };
  return { sent, fetch };
}

/** The world's vault. It counts its reads, and holds their answers back until it is released. */
function slowVault({ vault }: World) {
  let reads = 0;
  let isHeld = false;
  let release = (): void => {};
  const read: Vault['read'] = async () => {
    reads++;
    const record = await vault.read();
    if (isHeld) await new Promise<void>((resolve) => (release = resolve));
    return record;
  };
  return {
    vault: { ...vault, read },
    reads: () => reads,
    hold: () => void (isHeld = true),
    release: () => {
      isHeld = false;
      release();
    },
  };
}

const outcomeOf = (auth: AuthService): Promise<unknown> =>
  auth.fetch(`${api}/notes`).then(
    ({ status }) => status,
    (error: { readonly code?: string }) => error.code ?? error,
  );

/** The first user leaves in this tab, and the next one signs in. */
async function changeUser({ server }: World, { auth }: Tab): Promise<void> {
  await auth.signOut();
  server.extra = { ...server.extra, sid: 'session-2', sub: 'user-2' };
  await auth.signIn({ username: 'bob', password: 'secret' });
}

describe('a session that another tab has ended', () => {
  it('is not sent any more once the news arrives, however slow storage is', async () => {
    const world = createWorld();
    const page = await world.openSignedInTab();
    const { sent, fetch } = apiOf();
    const slow = slowVault(world);
    const worker = world.openTab({ fetch }, { vault: slow.vault });
    await worker.auth.ready();
    slow.hold();
    await page.auth.signOut();
    const outcome = outcomeOf(worker.auth);
    await settle();
    expect(sent).toEqual([]);
    slow.release();
    expect(await outcome).toBe('signed-out');
    expect(sent).toEqual([]);
  });

  it('is not sent after a pause of a second if no news comes, nor as the next user', async () => {
    const world = createWorld();
    const page = await world.openSignedInTab({}, unheard);
    const { sent, fetch } = apiOf();
    const worker = world.openTab({ fetch });
    await worker.auth.ready();
    expect(await outcomeOf(worker.auth)).toBe(200);
    await changeUser(world, page);
    await world.time.advance(1_001);
    expect(await outcomeOf(worker.auth)).toBe('user-changed');
    expect(await outcomeOf(worker.auth)).toBe(200);
    expect(sent).toEqual(['Bearer access-1', 'Bearer access-2']);
  });

  it('is not sent by a process that was frozen while it read the store', async () => {
    const world = createWorld();
    const page = await world.openSignedInTab({}, unheard);
    const { sent, fetch } = apiOf();
    const slow = slowVault(world);
    const worker = world.openTab({ fetch }, { vault: slow.vault });
    await worker.auth.ready();
    await world.time.advance(2_000);
    slow.hold();
    const outcome = outcomeOf(worker.auth);
    await settle();
    await page.auth.signOut();
    // The timers of this process have stood still, and its read is old.
    world.time.jumpWall(3_600_000);
    slow.release();
    expect(await outcome).toBe('signed-out');
    expect(sent).toEqual([]);
  });

  it('is not sent by a process that was frozen while it stored its sign-in', async () => {
    const world = createWorld();
    const { sent, fetch } = apiOf();
    let thaw = (): void => {};
    const compareAndSwap: Vault['compareAndSwap'] = async (version, next) => {
      const result = await world.vault.compareAndSwap(version, next);
      await new Promise<void>((resolve) => (thaw = resolve));
      return result;
    };
    const tab = world.openTab({ fetch }, { ...unheard, vault: { ...world.vault, compareAndSwap } });
    await tab.auth.ready();
    const signedIn = tab.auth.signIn({ username: 'ada', password: 'secret' });
    await settle();
    const outcome = outcomeOf(tab.auth);
    await settle();
    const page = world.openTab({}, unheard);
    await page.auth.ready();
    await changeUser(world, page);
    world.time.jumpWall(60_000);
    thaw();
    await signedIn;
    expect(await outcome).toBe('user-changed');
    expect(sent).toEqual([]);
  });

  it('is not sent by a process that was frozen while storage did not answer', async () => {
    const world = createWorld();
    const page = await world.openSignedInTab({}, unheard);
    const { sent, fetch } = apiOf();
    let isSilent = false;
    const read: Vault['read'] = () => (isSilent ? new Promise(() => {}) : world.vault.read());
    const worker = world.openTab({ fetch }, { vault: { ...world.vault, read } });
    await worker.auth.ready();
    await world.time.advance(2_000);
    isSilent = true;
    const outcome = outcomeOf(worker.auth);
    await settle();
    await page.auth.signOut();
    isSilent = false;
    // The read is given up only now, hours after it began. It says nothing about the store of today.
    world.time.jumpWall(3_600_000);
    await world.time.advance(5_001);
    expect(await outcome).toBe('signed-out');
    expect(sent).toEqual([]);
  });

  it('is not sent by a tab whose timer is late, if the store that it could not read is due to be read again', async () => {
    const world = createWorld();
    const page = await world.openSignedInTab({}, unheard);
    const { sent, fetch } = apiOf();
    let isLocked = false;
    const read: Vault['read'] = () => (isLocked ? Promise.reject(new Error('locked')) : world.vault.read());
    const worker = world.openTab({ fetch }, { vault: { ...world.vault, read } });
    await worker.auth.ready();
    await world.time.advance(2_000);
    isLocked = true;
    expect(await outcomeOf(worker.auth)).toBe(200);
    isLocked = false;
    await page.auth.signOut();
    // No timer has fired, and no message has come.
    world.time.jumpWall(30_000);
    expect(await outcomeOf(worker.auth)).toBe('signed-out');
    expect(sent).toEqual(['Bearer access-1']);
  });

  it('is not sent with a proof that was being signed when the news arrived', async () => {
    const world = createWorld();
    world.server.extra = { ...world.server.extra, token_type: 'DPoP' };
    const proof = proofSigner(() => Promise.resolve('proof'));
    const page = await world.openSignedInTab({}, { signProof: proof });
    const { sent, fetch } = apiOf();
    let signed = (): void => {};
    const signProof = proofSigner(() => new Promise((resolve) => (signed = () => resolve('proof'))));
    const worker = world.openTab({ fetch }, { signProof });
    await worker.auth.ready();
    const outcome = outcomeOf(worker.auth);
    await settle();
    await page.auth.signOut();
    signed();
    expect(await outcome).toBe('signed-out');
    expect(sent).toEqual([]);
  });
});

describe('a session that another tab began', () => {
  it('is found by a worker that was made before and has received no news', async () => {
    const world = createWorld();
    const { sent, fetch } = apiOf();
    const worker = world.openTab({ fetch });
    await worker.auth.ready();
    await world.openSignedInTab({}, unheard);
    await world.time.advance(1_001);
    expect(await outcomeOf(worker.auth)).toBe(200);
    expect(sent).toEqual(['Bearer access-1']);
  });
});

describe('a read of the store before a token is handed out', () => {
  it('happens once a second at most, and no request that waits for it counts as parked', async () => {
    const world = createWorld();
    const { fetch } = apiOf();
    const slow = slowVault(world);
    const tab = await world.openSignedInTab(
      { fetch, policy: sessionPolicy({ parkedRequestsMax: 1 }) },
      { vault: slow.vault },
    );
    await world.time.advance(2_000);
    const before = slow.reads();
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => outcomeOf(tab.auth)));
    expect(outcomes).toEqual(outcomes.map(() => 200));
    expect(await outcomeOf(tab.auth)).toBe(200);
    expect(slow.reads() - before).toBe(1);
    expect(tab.seen('request.parked')).toEqual([]);
  });

  it('holds up a valid token no longer than storage may take, and only once while storage does not answer', async () => {
    const world = createWorld();
    const { fetch } = apiOf();
    const slow = slowVault(world);
    const tab = await world.openSignedInTab({ fetch }, { vault: slow.vault });
    await world.time.advance(2_000);
    slow.hold();
    const first = outcomeOf(tab.auth);
    await world.time.advance(5_000);
    expect(await first).toBe(200);
    await world.time.advance(2_000);
    const next = outcomeOf(tab.auth);
    await settle();
    expect(await Promise.race([next, settle()])).toBe(200);
  });

  it('does not outlast the deadline of its caller', async () => {
    const world = createWorld();
    const slow = slowVault(world);
    const tab = await world.openSignedInTab({}, { vault: slow.vault });
    await world.time.advance(2_000);
    slow.hold();
    const impatient = tab.auth.getAccessToken({ deadlineMs: 500 }).catch((error: { code: string }) => error.code);
    await world.time.advance(600);
    expect(await impatient).toBe('deadline-exceeded');
  });

  it('is not needed where the platform reports every change', async () => {
    const world = createWorld();
    const page = await world.openSignedInTab({}, unheard);
    const { sent, fetch } = apiOf();
    const slow = slowVault(world);
    let version = 1;
    const watched = watchedSignals(
      () => () => {},
      () => version,
    );
    const program = world.openTab({ fetch }, { ...watched, vault: slow.vault });
    await program.auth.getAccessToken();
    const before = slow.reads();
    await world.time.advance(60_000);
    expect(await outcomeOf(program.auth)).toBe(200);
    expect(slow.reads()).toBe(before);
    await changeUser(world, page);
    version = 2;
    expect(await outcomeOf(program.auth)).toBe('user-changed');
    expect(sent).toEqual(['Bearer access-1']);
  });

  it('shows an end that another tab has stored, although a write of the previous session still waits', async () => {
    const world = createWorld();
    const page = await world.openSignedInTab({}, unheard);
    const { sent, fetch } = apiOf();
    const full: Vault = { ...world.vault, compareAndSwap: () => Promise.reject(new Error('full')) };
    const worker = world.openTab({ fetch }, { vault: full });
    await worker.auth.ready();
    worker.auth.extend();
    await settle();
    await page.auth.signOut();
    await world.time.advance(2_000);
    expect(await outcomeOf(worker.auth)).toBe('signed-out');
    expect(sent).toEqual([]);
  });
});
