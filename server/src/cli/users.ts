import { createInterface } from 'node:readline';
import type { Holdfast } from '../holdfast.ts';
import { HoldfastServerError } from '../kernel/errors.ts';
import type { EndingProgress } from '../sessions/mass-endings.ts';
import type { User } from '../storage/user-store.ts';
import type { Users } from '../users/users.ts';

/** The output of a command, line by line. */
export type Lines = readonly string[];

/** Users per page. */
const PAGE_SIZE = 500;

/** Lists every user in the order of the usernames: id, state, username, name. */
export async function listUsers({ users }: Holdfast): Promise<Lines> {
  const lines: string[] = [];
  for (let after: string | undefined = ''; after !== undefined;) {
    const page = await users.list({ after, limit: PAGE_SIZE });
    for (const { sub, username, name, isDisabled } of page) {
      lines.push(`${sub}  ${isDisabled ? 'disabled' : 'active  '}  ${username}  ${name}`);
    }
    after = page.length < PAGE_SIZE ? undefined : page.at(-1)?.username;
  }
  return lines.length === 0 ? ['There is no user yet; holdfast users create makes one.'] : lines;
}

/** Creates a user. The password is the first line of `input`, because other processes could see an argument. */
export async function createUser(
  { users }: Holdfast,
  { username, name }: Pick<User, 'username' | 'name'>,
  input: NodeJS.ReadableStream,
): Promise<Lines> {
  const { sub } = await users.create({ username, password: await firstLine(input), name });
  return [sub];
}

/** Sets a user's password to the first line of `input`, and ends every session of the user. */
export async function setPassword({ users }: Holdfast, named: string, input: NodeJS.ReadableStream): Promise<Lines> {
  const { sub, username } = await findUser(users, named);
  const progress = await users.setPassword(sub, await firstLine(input));
  return [`${username} has a new password.`, endedOf(progress)];
}

/** Blocks every sign-in of a user, and ends every session. */
export async function disableUser({ users }: Holdfast, named: string): Promise<Lines> {
  const { sub, username } = await findUser(users, named);
  const progress = await users.disable(sub);
  return [`${username} cannot sign in any more.`, endedOf(progress)];
}

/** Lets a disabled user sign in again. */
export async function enableUser({ users }: Holdfast, named: string): Promise<Lines> {
  const { sub, username } = await findUser(users, named);
  await users.enable(sub);
  return [`${username} can sign in.`];
}

/** Deletes a user with every credential, and ends every session. */
export async function deleteUser({ users }: Holdfast, named: string): Promise<Lines> {
  const { sub, username } = await findUser(users, named);
  const progress = await users.delete(sub);
  return [`${username} is deleted.`, endedOf(progress)];
}

/** Describes the progress of ending a user's sessions. */
function endedOf(progress: EndingProgress | null): string {
  return progress?.isComplete === false
    ? `${progress.count} sessions have ended. There are more of them: a running node ends the rest.`
    : 'Every session has ended.';
}

/**
 * Finds a user by id or username.
 *
 * @throws HoldfastServerError `unknown-user`
 */
export async function findUser(users: Users, named: string): Promise<User> {
  const user = (await users.findById(named)) ?? (await users.findByUsername(named));
  if (user === null) throw new HoldfastServerError('unknown-user', 'there is no user of this id or username');
  return user;
}

async function firstLine(input: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input })) return line;
  return '';
}
