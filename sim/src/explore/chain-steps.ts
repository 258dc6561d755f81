import {
  act,
  cookiesOf,
  finish,
  hear,
  isBehind,
  keepCookies,
  kill,
  living,
  lose,
  machineOf,
  nameOfUser,
  serve,
  signIn,
  signOut,
  tell,
  write,
  type ChainTab,
  type ChainWorld,
  type Letter,
} from './chain-world.ts';

type Naming = (sid: string | null) => string;

/** One possible next step. Its label is unique among the steps of a world. */
export type ChainStep = { readonly label: string; readonly run: () => void };

/** Names a session by a letter, in the order in which the server created the sessions. */
export function letterOf({ rows }: ChainWorld, sid: string | null | undefined): string {
  const at = sid ? [...rows.keys()].indexOf(sid) : -1;
  return at < 0 ? 'nobody' : ('ABCDEFGH'[at] ?? sid ?? '');
}

/** Lists every possible next step of a world. */
export function chainSteps(world: ChainWorld): readonly ChainStep[] {
  return [
    ...world.tabs.flatMap((tab, at) => (tab.isAlive ? tabSteps(world, tab, at) : [])),
    ...world.letters.flatMap((letter) => (letter.answer ? answerSteps(world, letter) : requestSteps(world, letter))),
    ...world.writings.map((writing) => ({
      label: `tab ${writing.tab} writes ${letterOf(world, writing.sid)} to the vault`,
      run: () => write(world, writing),
    })),
  ];
}

function tabSteps(world: ChainWorld, tab: ChainTab, at: number): readonly ChainStep[] {
  const { stores, rows, setup } = world;
  const signedOutAtMs = signedOutAtMsOf(world, tab);
  const snapshot = tab.auth.getSnapshot();
  const state = machineOf(tab);
  const held = stores[tab.user].record?.session?.sid ?? null;
  const shown = state && 'stored' in state.phase ? state.phase.stored.sid : null;
  const steps: ChainStep[] = [];
  const isPrompted = shown !== null || held === null;
  const isBack = signedOutAtMs === null || (setup.returns === true && snapshot.status === 'signed-out');
  if (tab.signingIn === 0 && world.signIns > 0 && isPrompted && isBack)
    steps.push({
      label: `tab ${at} signs in${shown ? ` in place of ${letterOf(world, shown)}` : ''}`,
      run: () => signIn(world, tab),
    });
  // Skip the news while the tab's own sign-in is under way, because its write compares and swaps.
  if (isBehind(world, tab) && state?.syncing === null && tab.signingIn === 0)
    steps.push({ label: `tab ${at} hears that the store changed`, run: () => tell(tab, 'store-changed') });
  const row = rows.get(shown ?? '');
  const isOfUse = row && (row.lastUsedAtMs === null || row.revokedReason !== null);
  const isAsking = world.letters.some((letter) => letter.tab === at && letter.kind === 'refresh');
  const isIdle = state && state.flight === null && state.storing === null && !isAsking;
  if (shown === held && snapshot.status === 'active' && isIdle && isOfUse)
    steps.push({ label: `tab ${at} refreshes ${letterOf(world, shown)}`, run: () => refresh(world, tab, at) });
  if (tab.user === 'ada' && signedOutAtMs === null && shown !== null && shown === held && setup.signOuts > 0)
    steps.push({
      label: `the user signs out of ${letterOf(world, shown)} in tab ${at}`,
      run: () => signOut(world, tab),
    });
  return steps;
}

/** Runs a refresh as one step, unless its messages are explored one by one. */
function refresh(world: ChainWorld, tab: ChainTab, at: number): void {
  tab.auth.extend();
  if (world.setup.refreshes === 'messages') return;
  const mine = (): Letter | undefined => world.letters.find((letter) => letter.tab === at && letter.kind === 'refresh');
  act(world, () => {});
  for (let letter = mine(); letter; letter = mine()) {
    const next = letter;
    act(world, () => (next.answer ? hear(world, next) : serve(world, next)));
  }
}

const WORDS = { exchange: 'exchange', refresh: 'refresh', revoke: 'sign-out', discard: 'discard' } as const;

/** Describes a letter: its kind, its session and its tab. */
function nameOf(world: ChainWorld, letter: Letter): string {
  const { kind, sid, tab } = letter;
  const isLike = (other: Letter): boolean => other.kind === kind && other.tab === tab && other.sid === sid;
  const number = world.letters.filter(isLike).indexOf(letter) + 1;
  const of = kind === 'exchange' ? '' : ` of ${letterOf(world, sid)}`;
  return `the ${WORDS[kind]}${of} by tab ${tab}${number > 1 ? `, told ${number} times` : ''}`;
}

/** Spends one of the faults that the world has left. */
const spoil = (world: ChainWorld, label: string, run: () => void): readonly ChainStep[] =>
  world.faults === 0
    ? []
    : [
        {
          label: `${label}  [fault]`,
          run: () => {
            world.faults--;
            run();
          },
        },
      ];

function requestSteps(world: ChainWorld, letter: Letter): readonly ChainStep[] {
  return [{ label: `the server takes ${nameOf(world, letter)}`, run: () => serve(world, letter) }];
}

function answerSteps(world: ChainWorld, letter: Letter): readonly ChainStep[] {
  const name = nameOf(world, letter);
  const steps: ChainStep[] = [{ label: `tab ${letter.tab} hears of ${name}`, run: () => hear(world, letter) }];
  const isMade = letter.kind === 'exchange' && letter.answer?.status === 200;
  // Only successful answers are lost: nothing depends on a refusal.
  if (letter.answer?.status === 200)
    steps.push(...spoil(world, `the answer to ${name} is lost`, () => lose(world, letter)));
  if (isMade)
    steps.push(
      ...spoil(world, `the cookie of ${name} is kept, tab ${letter.tab} dies`, () => {
        keepCookies(world, letter);
        kill(world, letter.tab);
      }),
    );
  return steps;
}

/** Returns the promise that the world breaks now; `null` if none. */
export function judgeNow(world: ChainWorld): string | null {
  if (world.broken) return world.broken;
  if (isBobSignedOut(world)) return "the sign-out of one account has ended the other's session";
  for (const [at, tab] of world.tabs.entries()) {
    if (!tab.isAlive) continue;
    const lost = judgeTab(world, tab, (sid) => letterOf(world, sid));
    if (lost) return `tab ${at} ${lost}`;
    const mixed = judgeAccount(world, tab);
    if (mixed) return `tab ${at} ${mixed}`;
  }
  // A page that authenticates repeatedly has at most two.
  const alive = living(world).length;
  if (world.tabs.length === 1 && world.setup.faults === 0 && alive > 2) return `one tab has ${alive} live sessions`;
  return null;
}

/** When the account of a tab was signed out; `null`: it was not. */
const signedOutAtMsOf = ({ signedOutAtMs }: ChainWorld, { user }: ChainTab): number | null =>
  user === 'ada' ? signedOutAtMs : null;

/** Checks a browser with two accounts: a tab has a session of its own account, or none. */
function judgeAccount({ rows }: ChainWorld, tab: ChainTab): string | null {
  const state = machineOf(tab);
  const row = state && 'stored' in state.phase ? rows.get(state.phase.stored.sid ?? '') : undefined;
  const snapshot = tab.auth.getSnapshot();
  const subs = ['user' in snapshot ? snapshot.user.sub : null, row?.sub];
  const isOther = subs.some((sub) => sub && nameOfUser(sub) !== tab.user);
  return isOther ? `of ${tab.user}'s store has the other account's session` : null;
}

/** True if a session of bob was signed out, although only ada signs out. */
const isBobSignedOut = ({ rows }: ChainWorld): boolean =>
  [...rows.values()].some(({ sub, revokedReason }) => nameOfUser(sub) === 'bob' && revokedReason === 'signed_out');

/** Describes the session that a tab has lost although the user did not end it; `null` if none. */
function judgeTab(world: ChainWorld, tab: ChainTab, name: Naming): string | null {
  const { setup, rows, sentAt } = world;
  const signedOutAtMs = signedOutAtMsOf(world, tab);
  const snapshot = tab.auth.getSnapshot();
  const state = machineOf(tab);
  if (snapshot.status === 'signed-out') {
    if (signedOutAtMs !== null || snapshot.reason === 'never-signed-in') return null;
    return `is signed out (${snapshot.reason}) and nobody asked`;
  }
  if (snapshot.status !== 'reauthentication-required') return null;
  const sid = state && 'stored' in state.phase ? state.phase.stored.sid : null;
  if (setup.begins === 'expired' && sid === [...rows.keys()][0]) return null;
  // The sign-out ends a sign-in that was under way at that time.
  if (signedOutAtMs !== null && (sentAt.get(sid ?? '') ?? 0) <= signedOutAtMs) return null;
  return `asks its user again, and nobody asked: ${name(sid)} was ended (${rows.get(sid ?? '')?.revokedReason})`;
}

/** Delivers everything under way, and returns the promise that is broken then. The world cannot be used afterwards. */
export function judgeQuiet(world: ChainWorld): string | null {
  const inOrder = (): string | null => {
    finish(world);
    return judgeNow(world);
  };
  const first = inOrder();
  if (first) return first;
  for (const signal of ['online', 'foreground'] as const) {
    for (const tab of world.tabs) act(world, () => tell(tab, signal));
    const broken = inOrder();
    if (broken) return broken;
  }
  for (const tab of world.tabs) if (tab.isAlive) act(world, () => tab.auth.extend());
  return inOrder() ?? judgeGhosts(world) ?? judgeWaiters(world);
}

/** Checks that after a sign-out no cookie of an earlier sign-in still works, unless its session is in use. */
function judgeGhosts(world: ChainWorld): string | null {
  const { signedOutAtMs, stores, sentAt } = world;
  if (signedOutAtMs === null) return null;
  const held = stores.ada.record?.session?.sid;
  const cookies = new Set(cookiesOf(world).filter((sid) => (sentAt.get(sid) ?? 0) <= signedOutAtMs));
  const ghost = living(world).find(({ sid, sub }) => nameOfUser(sub) === 'ada' && sid !== held && cookies.has(sid));
  return ghost ? `after the sign-out the cookie of ${letterOf(world, ghost.sid)} is still good` : null;
}

/** Checks that no request waits for a step-up once its tab has a session from a later sign-in. */
function judgeWaiters(world: ChainWorld): string | null {
  const { tabs, rows, stores } = world;
  const isNew = (sid: string | null | undefined): boolean => Boolean(sid) && sid !== [...rows.keys()][0];
  const at = tabs.findIndex((tab) => tab.isAlive && tab.isWaiting && isNew(stores[tab.user].record?.session?.sid));
  return at < 0 ? null : `the request of tab ${at} waits for a step-up that has happened`;
}
