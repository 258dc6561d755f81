import type { IncomingMessage } from 'node:http';
import { HoldfastServerError, type Holdfast } from '@holdfast/server';
import { problem } from './answer.ts';

/** The user that the demo creates, and prints where it starts. */
export const demoUser = {
  username: 'demo@holdfast.example',
  password: 'correct horse battery staple',
  name: 'Demo User',
} as const;

/** Creates the demo's user unless it is there. Resolves with its `sub`. */
export async function seedDemoUser(users: Holdfast['users']): Promise<string> {
  const found = await users.findByUsername(demoUser.username);
  if (found !== null) return found.sub;
  try {
    return (await users.create(demoUser)).sub;
  } catch (error) {
    // Another node was quicker.
    if (error instanceof HoldfastServerError && error.code === 'username-taken') return seedDemoUser(users);
    throw error;
  }
}

/** How many passkeys the demo account keeps; fewer than a user may have, so that each visitor can add one. */
const passkeysKept = 10;

/** All visitors share the demo account: the oldest passkeys go, or no visitor could add one any more. */
export async function dropOldPasskeys(database: Holdfast['database'], sub: string): Promise<void> {
  await database.query(
    `delete from holdfast.passkeys where user_id = $1 and credential_id not in
       (select credential_id from holdfast.passkeys where user_id = $1 order by created_at desc, 1 limit $2)`,
    [sub, passkeysKept],
  );
}

/** The answer to a change of the demo account's password: the printed one has to work for the next visitor as well. */
export const demoPasswordStays = problem(403, 'Forbidden', 'The password of the demo account cannot be changed.');

/** True if a request would change the password of the user `sub`. The token is not verified here: a refusal needs no proof. */
export function changesPasswordOf(sub: string, { method, url = '', headers }: IncomingMessage): boolean {
  const isChange = url.split('?')[0] === '/password' && (method === 'POST' || method === 'DELETE');
  return isChange && subOf(headers.authorization) === sub;
}

function subOf(authorization = ''): unknown {
  try {
    const payload: unknown = JSON.parse(Buffer.from(authorization.split('.')[1] ?? '', 'base64url').toString());
    return typeof payload === 'object' && payload !== null && 'sub' in payload ? payload.sub : null;
  } catch {
    return null;
  }
}
