import type { SignInMethod } from 'holdfast';
import { recall, remember } from './memory.ts';
import { signInByPasskey } from './phone.ts';
import { auth } from './session.ts';

const name = 'passkey-user';

/** True if the user `sub` made or used a passkey here: phones tell no app which they hold, so the app remembers. */
export const knowsPasskey = (sub: string | null): boolean => sub !== null && recall(name) === sub;

/** The signed-in user has just made or used a passkey: the next time, it is asked for first. */
export function rememberPasskeyUse(): void {
  const session = auth.getSnapshot();
  if (session.status === 'active') remember(name, session.user.sub);
}

/** The passkey that was known here is no more. */
export const forgetPasskey = (): void => remember(name, null);

/** Signs in with a passkey; one that the server refuses is not asked for first any more. */
export function passkeyOfUser(): SignInMethod {
  const method = signInByPasskey();
  return async (ask) => {
    const answer = await method(ask);
    if (answer.kind === 'rejected') forgetPasskey();
    return answer;
  };
}
