import type { Pool, PoolClient } from 'pg';
import type { Ending, UserChange, UserRecord, UserStore } from '../storage/user-store.ts';
import { run, transact, type Connections } from './connections.ts';
import { intendEndings } from './mass-ending-store.ts';
import { lockSubject, moveEpoch, type BucketOf } from './subject-store.ts';

/** A user's row as PostgreSQL returns it. */
export type UserRow = {
  readonly id: string;
  readonly username: string;
  readonly name: string;
  readonly password_hash: string | null;
  readonly is_disabled: boolean;
  readonly sign_in_epoch: number;
};

/**
 * The columns of a {@link UserRow}; `u` is the user. One statement reads credential and epoch, so that they are
 * consistent.
 */
export const USER_COLUMNS = `
  u.id, u.username, u.name, u.password_hash, u.disabled_at IS NOT NULL AS is_disabled,
  coalesce((SELECT s.epoch FROM holdfast.subjects AS s WHERE s.sub = u.id), 0) AS sign_in_epoch`;

const INSERT = `
  INSERT INTO holdfast.users (id, username, username_key, name, password_hash) VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT (username_key) DO NOTHING RETURNING id`;
/**
 * Serializes changes, so that two concurrent removals cannot take a user's last two credentials. Lock the subject
 * first.
 */
export const LOCK_USER = 'SELECT 1 FROM holdfast.users WHERE id = $1 FOR NO KEY UPDATE';
const COUNT_PASSKEYS = 'SELECT count(*)::int4 AS count FROM holdfast.passkeys WHERE user_id = $1';
const SET_PASSWORD = 'UPDATE holdfast.users SET password_hash = $2 WHERE id = $1';
const SET_DISABLED = `
  UPDATE holdfast.users SET disabled_at = CASE WHEN $2 THEN coalesce(disabled_at, now()) END WHERE id = $1`;

/** Users in PostgreSQL. */
export function createUserStore({ durable }: Connections, bucketOf: BucketOf): UserStore {
  const change = createUserChange(durable, bucketOf);
  const find = async (condition: string, value: string): Promise<UserRecord | null> => {
    const text = `SELECT ${USER_COLUMNS} FROM holdfast.users AS u WHERE ${condition}`;
    const [row] = await run<UserRow>(durable, { text, values: [value] });
    return row === undefined ? null : toUserRecord(row);
  };
  return {
    insert: async ({ sub, username, name, passwordHash }, usernameKey) => {
      const values = [sub, username, usernameKey, name, passwordHash];
      return (await run(durable, { text: INSERT, values })).length > 0;
    },
    findById: (sub) => find('u.id = $1', sub),
    findByUsernameKey: (usernameKey) => find('u.username_key = $1', usernameKey),
    list: async (afterKey, limit) => {
      const text = `SELECT ${USER_COLUMNS} FROM holdfast.users AS u WHERE u.username_key > $1 ORDER BY u.username_key LIMIT $2`;
      return (await run<UserRow>(durable, { text, values: [afterKey, limit] })).map(toUserRecord);
    },
    setPassword: (sub, passwordHash, ending) =>
      change(sub, ending, async (client) => {
        if ((await client.query(LOCK_USER, [sub])).rowCount !== 1) return 'unknown';
        if (passwordHash === null && (await countPasskeys(client, sub)) === 0) return 'last_credential';
        await client.query(SET_PASSWORD, [sub, passwordHash]);
        return 'changed';
      }),
    setDisabled: (sub, isDisabled, ending) =>
      change(sub, ending, async (client) =>
        (await client.query(SET_DISABLED, [sub, isDisabled])).rowCount === 1 ? 'changed' : 'unknown',
      ),
    delete: (sub, ending) =>
      change(sub, ending, async (client) => {
        const deleted = await client.query('DELETE FROM holdfast.users WHERE id = $1', [sub]);
        return deleted.rowCount === 1 ? 'changed' : 'unknown';
      }),
  };
}

/** Applies a change, moves the epoch and records the intent to end sessions, all in one transaction. */
type Change = (
  sub: string,
  ending: Ending,
  work: (client: PoolClient) => Promise<UserChange['kind']>,
) => Promise<UserChange>;

export function createUserChange(durable: Pool, bucketOf: BucketOf): Change {
  return (sub, ending, work) =>
    transact(durable, async (client) => {
      const subject = await lockSubject(client, bucketOf, sub);
      const kind = await work(client);
      if (kind !== 'changed') return { kind };
      return { kind, ending: await intendEndings(client, await moveEpoch(client, subject), ending) };
    });
}

export async function countPasskeys(client: PoolClient, sub: string): Promise<number> {
  return (await client.query<{ count: number }>(COUNT_PASSKEYS, [sub])).rows[0]?.count ?? 0;
}

export function toUserRecord(row: UserRow): UserRecord {
  return {
    sub: row.id,
    username: row.username,
    name: row.name,
    passwordHash: row.password_hash,
    isDisabled: row.is_disabled,
    signInEpoch: row.sign_in_epoch,
  };
}
