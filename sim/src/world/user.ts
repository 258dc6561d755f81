import type { PasswordCredential } from '../../../client/src/runtime/sign-in.ts';
import { extend } from '../checkers/extensions.ts';
import { emitSignal, type Ground } from '../sandbox/process.ts';
import { USERS, type UserName } from './cluster.ts';
import { createPrompts, type AnswerPrompt, type Prompts, type UserParts } from './prompts.ts';
import { call, type CallKind, type Tab } from './tab.ts';

/** The person in front of the device. */
export type User = {
  /** Performs one action now, in a tab that runs. */
  act(): void;
  /** Signs out, or signs in as the other user. @returns false if no tab runs */
  readonly change: () => boolean;
  /** Signs in again if the app asks for it; used when all faults are over. */
  mend(): void;
  readonly answerPrompt: AnswerPrompt;
};

const KINDS: readonly CallKind[] = ['get', 'get', 'post', 'post-with-key', 'fetch-post'];

export function createUser(parts: UserParts): User {
  const { random, device, scheduler, setup, books } = parts;
  const again = random.fork('again');
  const resources = random.fork('resources');
  const crowd = random.fork('crowd');
  let name: UserName = 'ada';
  const enter = (tab: Tab): PasswordCredential => {
    scheduler.note(tab.process.name, `the user signs in as ${name}`);
    const snapshot = tab.auth.getSnapshot();
    // A user who signs in as another user leaves the previous session for good.
    if ('user' in snapshot && snapshot.user.sub !== USERS[name].sub && tab.sid !== null) books.onSignedOut(tab.sid);
    return { username: name, password: USERS[name].password };
  };
  const signIn = (tab: Tab): void => {
    const credential = enter(tab);
    void attempt(parts, tab, () => tab.auth.signIn(credential), 'reauthenticated by password');
    device.aimAtBegun(tab.process);
  };
  const prompts = createPrompts(parts, { enter, signIn, decline: (tab) => decline(parts, tab) });
  const signOut = (tab: Tab): void => {
    scheduler.note(tab.process.name, 'the user signs out');
    if (tab.sid !== null) books.onSignedOut(tab.sid);
    device.history.signedOutAtMs = scheduler.nowMs();
    // The sign-out waits for a session that is still being restored, and then ends it.
    device.history.isSigningOut = tab.auth.getSnapshot().status === 'restoring' || tab.sid === null;
    void tab.auth.signOut().catch((error: unknown) => books.scan('an error of the client', error));
    device.aimAtBegun(tab.process);
  };
  const someTab = (): Tab | null => {
    const tabs = device.awake().filter(({ process }) => !process.isDeaf);
    return tabs.length === 0 ? null : random.pick(tabs);
  };
  return {
    act: () => {
      callInWorker(parts, again);
      callForResource(parts, resources);
      const tab = someTab();
      if (tab && !signInAgain(parts, again, tab, signIn)) actIn(parts, tab, signIn, prompts);
    },
    change: () => {
      const tab = someTab();
      if (!tab) return false;
      if (crowd.chance(setup.aims.heard)) for (const each of device.awake()) void call(each, 'get', books);
      const isOther = random.chance(0.6);
      const isSigningOut = !isOther || random.chance(0.5);
      if (isSigningOut) signOut(tab);
      if (!isOther) return true;
      name = name === 'ada' ? 'bob' : 'ada';
      const later = random.int(0, 3) * random.int(0, 2_000);
      scheduler.after(later, () => {
        const tab = someTab();
        if (tab) signIn(tab);
      });
      return true;
    },
    mend: () => {
      const asking = device
        .awake()
        .find(({ process, auth }) => !process.isDeaf && auth.getSnapshot().status === 'reauthentication-required');
      const isAnyActive = device
        .awake()
        .some(({ process, auth }) => !process.isDeaf && auth.getSnapshot().status === 'active');
      if (asking && !isAnyActive) signIn(asking);
      // Decline one stage after the other.
      for (const tab of device.awake()) while (isSteppingUp(tab)) tab.auth.declineReauthentication();
    },
    answerPrompt: prompts.answer,
  };
}

const isSteppingUp = ({ auth }: Tab): boolean => {
  const snapshot = auth.getSnapshot();
  return snapshot.status === 'active' && snapshot.stepUp !== null;
};

const isInDoubt = ({ auth }: Tab): boolean => {
  const snapshot = auth.getSnapshot();
  return snapshot.status === 'active' && snapshot.isDoubtful;
};

/**
 * Authenticates again while a session lives: because a resource asks for it, because the session is in doubt, or at
 * random.
 *
 * @returns true if it did
 */
function signInAgain(
  { setup, books }: UserParts,
  again: Ground['random'],
  tab: Tab,
  signIn: (tab: Tab) => void,
): boolean {
  if (tab.auth.getSnapshot().status !== 'active') return false;
  if (isSteppingUp(tab) && again.chance(0.5)) {
    const isDeclined = again.chance(0.2);
    books.reach(isDeclined ? 'step-up declined' : 'step-up answered');
    if (isDeclined) tab.auth.declineReauthentication();
    else signIn(tab);
    return true;
  }
  if (isInDoubt(tab) && again.chance(0.2)) {
    signIn(tab);
    return true;
  }
  if (!again.chance(setup.faults.signedInAgain)) return false;
  books.struck('signed in again');
  books.reach('signed in again');
  signIn(tab);
  return true;
}

async function attempt(
  { books }: UserParts,
  tab: Tab,
  signIn: () => Promise<void>,
  state: 'reauthenticated by password',
): Promise<void> {
  const before = tab.auth.getSnapshot();
  try {
    await signIn();
    if (tab.auth.getSnapshot().status !== 'active')
      books.violate('I1', 'a sign-in was said to have worked, and nobody is signed in');
    if (isInDoubt(tab)) books.violate('I11', 'a sign-in was said to have worked, and the session is in doubt');
    if (before.status === 'active' && before.isDoubtful) books.reach('session in doubt, cured by a sign-in');
    if (before.status === 'reauthentication-required') books.reach(state);
    if (before.status === 'active') books.reach('another user signed in');
  } catch (error) {
    if (tab.isUnmounted) books.reach('app mounted anew while somebody signed in');
    books.scan('an error of the client', error);
  }
}

function decline({ books, device, scheduler }: UserParts, tab: Tab): void {
  device.history.declinedAtMs = scheduler.nowMs();
  books.reach('reauthentication declined');
  tab.auth.declineReauthentication();
}

function actIn(parts: UserParts, tab: Tab, signIn: (tab: Tab) => void, prompts: Prompts): void {
  const { random, books } = parts;
  const snapshot = tab.auth.getSnapshot();
  const choice = random.next();
  const isAsking = snapshot.status === 'reauthentication-required' && !prompts.isLeftOpen(tab);
  if (snapshot.status === 'signed-out' && choice < 0.5) return signIn(tab);
  if (isAsking && choice < 0.5) return signIn(tab);
  if (isAsking && choice < 0.55) return decline(parts, tab);
  if (choice < 0.04) extend(tab, parts, books);
  else if (choice < 0.1) void tab.auth.getAccessToken().catch((error: unknown) => books.scan('an error', error));
  else if (choice < 0.2) emitSignal(tab.process, 'user-active');
  else if (choice < 0.28) burst(parts, tab);
  else if (choice < 0.33) abortSoon(parts, tab);
  else void call(tab, random.pick(KINDS), books);
}

/** Makes a request in a worker, if there is one. */
function callInWorker({ books, device }: UserParts, again: Ground['random']): void {
  const workers = device.awake().filter(({ process }) => process.isDeaf);
  if (workers.length === 0) return;
  books.reach('request of a worker that hears nothing');
  void call(again.pick(workers), again.pick(KINDS), books);
}

/**
 * Makes requests to endpoints that accept no ordinary token, as an app does that changes a password or reads a file.
 */
function callForResource({ books, device, setup }: UserParts, resources: Ground['random']): void {
  const tabs = device.awake();
  if (!resources.chance(setup.faults.resourceNamed) || tabs.length === 0) return;
  books.struck('a resource is named');
  for (let count = resources.int(1, 3); count > 0; count--)
    void call(resources.pick(tabs), resources.pick(['account', 'files']), books);
}

/** Makes several requests at once, in one tab or in all of them, as a page does that loads. */
function burst({ random, books, device }: UserParts, tab: Tab): void {
  const tabs = random.chance(0.3) ? device.awake() : [tab];
  for (const each of tabs)
    for (let count = random.int(2, 6); count > 0; count--) void call(each, random.pick(KINDS), books);
}

/** Makes a request and aborts it within 2 s. */
function abortSoon({ random, books, scheduler }: UserParts, tab: Tab): void {
  const controller = new AbortController();
  scheduler.after(random.int(0, 2_000), () => controller.abort());
  void call(tab, random.pick(KINDS), books, controller.signal);
}
