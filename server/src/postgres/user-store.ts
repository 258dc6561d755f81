import type { PoolClient, QueryConfig } from 'pg';
import { toStoredEvent } from '../event-log.ts';
import type { SessionRevoked } from '../events.ts';
import type { Ending, EndingCause, UserChange, UserRecord, UserStore } from '../user-store.ts';
import { run, transact } from './connections.ts';
import type { Connections } from './connections.ts';
import type { RecordEvents } from './event-store.ts';
import { REVOKE_ALL_OF_USER } from './session-statements.ts';

/** A user's row as PostgreSQL returns it. */
export interface UserRow {
  readonly id: string;
  readonly username: string;
  readonly name: string;
  readonly password_hash: string | null;
  readonly is_disabled: boolean;
  readonly sign_in_epoch: number;
}

/** What a {@link UserRow} holds; `u` is the user. */
export const USER_COLUMNS =
  'u.id, u.username, u.name, u.password_hash, u.disabled_at IS NOT NULL AS is_disabled, u.sign_in_epoch';

export const VOID_SIGN_INS = 'UPDATE holdfast.users SET sign_in_epoch = sign_in_epoch + 1 WHERE id = $1';

const INSERT = `
  INSERT INTO holdfast.users (id, username, username_key, name, password_hash) VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT (username_key) DO NOTHING RETURNING id`;
/** Whoever takes ways to sign in away locks the user first, so that two at once cannot take the last two. */
export const LOCK_USER = 'SELECT 1 FROM holdfast.users WHERE id = $1 FOR NO KEY UPDATE';
const COUNT_PASSKEYS = 'SELECT count(*)::int4 AS count FROM holdfast.passkeys WHERE user_id = $1';
const SET_PASSWORD = `
  UPDATE holdfast.users SET password_hash = $2, sign_in_epoch = sign_in_epoch + 1 WHERE id = $1`;
const SET_DISABLED = `
  UPDATE holdfast.users
  SET disabled_at = CASE WHEN $2 THEN coalesce(disabled_at, now()) END, sign_in_epoch = sign_in_epoch + 1 WHERE id = $1`;

/** Users in PostgreSQL. */
export function createUserStore({ durable }: Connections, recordEvents: RecordEvents): UserStore {
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
      transact(durable, async (client) => {
        if ((await client.query(LOCK_USER, [sub])).rowCount !== 1) return { kind: 'unknown' };
        if (passwordHash === null && (await countPasskeys(client, sub)) === 0) return { kind: 'last_credential' };
        await client.query(SET_PASSWORD, [sub, passwordHash]);
        return changed(await endSessionsOfUser(client, sub, ending, recordEvents));
      }),
    setDisabled: (sub, isDisabled, ending) =>
      transact(durable, async (client) => {
        if ((await client.query(SET_DISABLED, [sub, isDisabled])).rowCount !== 1) return { kind: 'unknown' };
        return changed(await endSessionsOfUser(client, sub, ending, recordEvents));
      }),
    delete: (sub, ending) =>
      transact(durable, async (client) => {
        const deleted = await client.query('DELETE FROM holdfast.users WHERE id = $1', [sub]);
        if (deleted.rowCount !== 1) return { kind: 'unknown' };
        return changed(await endSessionsOfUser(client, sub, ending, recordEvents));
      }),
  };
}

/** Ends live sessions of a user whose sign-ins under way were voided before, in the same transaction. */
export async function endSessionsOfUser(
  client: PoolClient,
  sub: string,
  { sessions, ...cause }: Ending,
  recordEvents: RecordEvents,
): Promise<readonly SessionRevoked[]> {
  if (sessions === 'none') return [];
  const values = [sub, cause.reason, sessions === 'all' ? null : sessions.allBut];
  return endSessions(client, { text: REVOKE_ALL_OF_USER, values }, cause, recordEvents);
}

interface EndedRow {
  readonly id: string;
  readonly user_id: string;
  readonly client_id: string;
}

/**
 * Runs a statement that ends sessions, and records what it ended: the audit log and the webhooks have the end of a session
 * exactly when it has ended.
 */
export async function endSessions(
  client: PoolClient,
  statement: QueryConfig,
  cause: EndingCause,
  recordEvents: RecordEvents,
): Promise<readonly SessionRevoked[]> {
  const { rows } = await client.query<EndedRow>(statement);
  const ended = rows.map(({ id: sid, user_id: sub, client_id: clientId }): SessionRevoked => ({
    type: 'session.revoked',
    sid,
    sub,
    clientId,
    ...cause,
  }));
  await recordEvents(client, ended.map(toStoredEvent));
  return ended;
}

export async function countPasskeys(client: PoolClient, sub: string): Promise<number> {
  return (await client.query<{ count: number }>(COUNT_PASSKEYS, [sub])).rows[0]?.count ?? 0;
}

function changed(ended: readonly SessionRevoked[]): UserChange {
  return { kind: 'changed', ended };
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
