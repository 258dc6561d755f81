import { createAuthService, type AuthService, type AuthServiceOptions } from '../auth-service.ts';
import type { Instant } from '../core/instant.ts';
import type { HttpResponse, HttpRequest, Platform, Signal, Vault } from '../core/ports.ts';
import type { Observation } from '../core/state.ts';
import { memoryDeviceSecret, memoryOutbox, memoryVault } from '../platform/memory-vault.ts';

// A world in which time passes only when a test advances it. It runs the real client: machine, shell and `AuthService`.

/** A wall clock, a monotonic clock and their alarms. */
export type SimulatedTime = {
  readonly clock: Platform['clock'];
  /** Advances time and calls the alarms that are due, in order. */
  advance(ms: number): Promise<void>;
  /** Sets the wall clock, as a user would. */
  jumpWall(ms: number): void;
};

/** Waits until every promise that needs no time has settled. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export function simulateTime(): SimulatedTime {
  let now: Instant = { wallMs: Date.UTC(2_026, 0, 1), monotonicMs: 0 };
  const alarms = new Map<number, { readonly at: number; readonly callback: () => void }>();
  let next = 1;
  const nextAlarm = (): [number, { readonly at: number; readonly callback: () => void }] | undefined =>
    [...alarms].toSorted(([a, left], [b, right]) => left.at - right.at || a - b)[0];
  const moveTo = (monotonicMs: number): void => {
    now = { wallMs: now.wallMs + monotonicMs - now.monotonicMs, monotonicMs };
  };
  return {
    clock: {
      now: () => now,
      wake: (delayMs, callback) => {
        const id = next++;
        alarms.set(id, { at: now.monotonicMs + delayMs, callback });
        return () => void alarms.delete(id);
      },
    },
    advance: async (ms) => {
      const end = now.monotonicMs + ms;
      await settle();
      for (let alarm = nextAlarm(); alarm !== undefined && alarm[1].at <= end; alarm = nextAlarm()) {
        alarms.delete(alarm[0]);
        moveTo(Math.max(now.monotonicMs, alarm[1].at));
        alarm[1].callback();
        await settle();
      }
      moveTo(end);
      await settle();
    },
    jumpWall: (ms) => {
      now = { ...now, wallMs: now.wallMs + ms };
    },
  };
}

/** An answer to a token request. `silence`: none until the client aborts. */
export type Answer = HttpResponse | 'network-error' | 'silence';

export const json = (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): HttpResponse => ({
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
});

/** A token endpoint that rotates the refresh token at every use. It gives `answers` first, in order. */
export type SimulatedServer = {
  readonly requests: URLSearchParams[];
  readonly answers: Answer[];
  lifetimeSeconds: number;
  /** Members added to every token response. */
  extra: Readonly<Record<string, unknown>>;
  /** The delay of every answer, in ms. */
  delayMs: number;
  refreshes(): number;
};

function simulateServer(
  time: SimulatedTime,
  refreshTokenTransport: 'cookie' | 'body',
): SimulatedServer & { readonly transport: Platform['transport'] } {
  let serial = 0;
  const server: SimulatedServer = {
    requests: [],
    answers: [],
    lifetimeSeconds: 900,
    extra: { sid: 'session-1', sub: 'user-1', authorization_expires_in: 86_400 },
    delayMs: 0,
    refreshes: () => server.requests.filter((form) => form.get('grant_type') === 'refresh_token').length,
  };
  const behave = (request: HttpRequest): HttpResponse => {
    if (request.url.endsWith('/authorize-challenge')) return json(200, { authorization_code: 'code' });
    if (request.url.endsWith('/revoke')) return json(200, {});
    serial += 1;
    return json(200, {
      access_token: `access-${serial}`,
      token_type: 'Bearer',
      expires_in: server.lifetimeSeconds,
      ...(refreshTokenTransport === 'body' ? { refresh_token: `refresh-${serial}` } : {}),
      ...server.extra,
    });
  };
  const transport: Platform['transport'] = async (request, signal) => {
    const form = new URLSearchParams(request.body);
    server.requests.push(form);
    const isToken = request.url.endsWith('/token');
    const scripted = isToken ? server.answers.shift() : undefined;
    if (server.delayMs > 0) await new Promise<void>((resolve) => void time.clock.wake(server.delayMs, resolve));
    if (scripted === 'network-error') throw new TypeError('Failed to fetch');
    if (scripted === 'silence')
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
    return scripted ?? behave(request);
  };
  return Object.assign(server, { transport });
}

/** One tab in the world. */
export type Tab = {
  readonly auth: AuthService;
  readonly observed: Observation[];
  readonly signal: (signal: Signal) => void;
  /** Returns the observations of one type. */
  seen<T extends Observation['type']>(type: T): Extract<Observation, { type: T }>[];
};

export type World = {
  readonly time: SimulatedTime;
  readonly server: SimulatedServer;
  readonly vault: Vault;
  readonly transport: Platform['transport'];
  readonly openTab: (options?: Partial<AuthServiceOptions>, ports?: Partial<Platform>) => Tab;
  /** Opens a tab and signs in. */
  readonly openSignedInTab: (options?: Partial<AuthServiceOptions>, ports?: Partial<Platform>) => Promise<Tab>;
};

/** The refresh locks of one browser: exclusive, in order of arrival, with a limited wait. */
function simulateMutex(time: SimulatedTime): Platform['refreshLock'] {
  const tails: Promise<void>[] = [];
  return (waitMs, level) =>
    new Promise((resolve) => {
      let isOver = false;
      const cancel = time.clock.wake(waitMs, () => {
        isOver = true;
        resolve(null);
      });
      tails[level] = (tails[level] ?? Promise.resolve()).then(
        () =>
          new Promise<void>((release) => {
            if (isOver) return release();
            cancel();
            resolve(release);
          }),
      );
    });
}

export function createWorld(refreshTokenTransport: 'cookie' | 'body' = 'body'): World {
  const time = simulateTime();
  const server = simulateServer(time, refreshTokenTransport);
  const vault = memoryVault();
  const outbox = memoryOutbox();
  const deviceSecret = memoryDeviceSecret();
  const refreshLock = simulateMutex(time);
  const tabs: ((signal: Signal) => void)[] = [];
  const openTab: World['openTab'] = (options = {}, ports = {}) => {
    const observed: Observation[] = [];
    let emit: (signal: Signal) => void = () => {};
    const platform: Platform = {
      clock: time.clock,
      transport: server.transport,
      vault,
      outbox,
      refreshLock,
      signals: (listener) => {
        emit = listener;
        tabs.push(listener);
        return () => {};
      },
      announce: () => {
        for (const tab of tabs) if (tab !== emit) tab('store-changed');
      },
      random: () => 0.5,
      randomToken: () => 'verifier',
      deviceSecret,
      sha256: (text) => Promise.resolve(`sha256-${text}`),
      refreshTokenTransport,
      ...ports,
    };
    const auth = createAuthService({
      issuer: 'https://api.example.com',
      clientId: 'app',
      platform,
      onEvent: (observation) => observed.push(observation),
      ...options,
    });
    return {
      auth,
      observed,
      signal: (signal) => emit(signal),
      seen: (type) =>
        observed.filter((each): each is Extract<Observation, { type: typeof type }> => each.type === type),
    };
  };
  const openSignedInTab: World['openSignedInTab'] = async (options, ports) => {
    const tab = openTab(options, ports);
    await tab.auth.ready();
    await tab.auth.signIn({ username: 'ada', password: 'secret' });
    return tab;
  };
  return { time, server, vault, transport: server.transport, openTab, openSignedInTab };
}
