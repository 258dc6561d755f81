import type { PasswordCredential, SignInMethod } from '../../../client/src/runtime/sign-in.ts';
import type { Books } from '../checkers/ledger.ts';
import { runTask, type Ground, type Process } from '../sandbox/process.ts';
import type { Device } from './device.ts';
import type { Tab } from './tab.ts';

/** The parts of the world that the user and the prompts need. */
export type UserParts = Ground & { readonly books: Books; readonly device: Device };

/** Answers or dismisses a prompt that the platform has started. */
export type AnswerPrompt = (process: Process, ask: Parameters<SignInMethod>[0]) => ReturnType<SignInMethod>;

/** Prompts to authenticate again. Users leave them open and come back later, whatever has happened meanwhile. */
export type Prompts = {
  /** True if the user leaves the prompt of this tab open for now. */
  isLeftOpen(tab: Tab): boolean;
  /** Answers or dismisses a prompt that the platform has started. */
  readonly answer: AnswerPrompt;
};

/** The user's possible answers to a prompt. */
export type Answers = {
  /** Returns the credentials with which the user is about to sign in. */
  readonly enter: (tab: Tab) => PasswordCredential;
  readonly signIn: (tab: Tab) => void;
  readonly decline: (tab: Tab) => void;
};

/** The error of browsers for a dismissed prompt. */
const dismissed = (): Error => Object.assign(new Error('dismissed'), { name: 'NotAllowedError' });

export function createPrompts(parts: UserParts, answers: Answers): Prompts {
  const { scheduler, random, setup, books, device } = parts;
  const chance = random.fork('prompts');
  const leftOpen = new Set<Tab>();
  const drawLateMs = (): number => chance.wait(chance.pick([60_000, 600_000, 3_600_000]));
  const reachLate = (tab: Tab): void => {
    books.reach('prompt answered late');
    const isAnswered = device.tabs().some((other) => other !== tab && other.auth.getSnapshot().status === 'active');
    if (isAnswered) books.reach('prompt answered after another tab');
  };
  const answerLate = (tab: Tab): void => {
    leftOpen.delete(tab);
    if (setup.faults.promptLeftOpen === 0 || tab.isUnmounted) return;
    const isOpen = tab.auth.getSnapshot().status === 'reauthentication-required';
    const how = chance.pick(['answer', 'answer', 'decline', 'close'] as const);
    scheduler.note(tab.process.name, `the user comes back to the prompt: ${how}`);
    if (how === 'answer') {
      reachLate(tab);
      answers.signIn(tab);
    } else if (how === 'decline' && isOpen) {
      books.reach('prompt declined late');
      answers.decline(tab);
    } else if (isOpen) {
      books.reach('tab closed with a prompt open');
      device.kill(tab.process, chance.chance(0.9));
    }
  };
  return {
    isLeftOpen: (tab) => {
      if (leftOpen.has(tab)) return true;
      if (!chance.chance(setup.faults.promptLeftOpen)) return false;
      books.struck('prompt left open');
      leftOpen.add(tab);
      scheduler.after(drawLateMs(), () => runTask(tab.process, () => answerLate(tab)));
      return true;
    },
    answer: (process, ask) =>
      new Promise((resolve, reject) => {
        const isLate = chance.chance(setup.faults.promptLeftOpen);
        const come = (): void => {
          const tab = device.tabs().find((each) => each.process === process);
          if (!tab || setup.faults.promptLeftOpen === 0 || chance.chance(0.3)) return reject(dismissed());
          if (isLate) reachLate(tab);
          ask(answers.enter(tab)).then(resolve, reject);
        };
        scheduler.after(isLate ? drawLateMs() : chance.int(500, 20_000), () => runTask(process, come));
      }),
  };
}
