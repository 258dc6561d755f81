import type { Holdfast } from '@holdfast/server';
import { problem, type Answer } from './answer.ts';

/** The demo's own table lives in the same database, in a schema of its own. */
const migration = `
  create schema if not exists demo;
  create table if not exists demo.notes (
    id uuid primary key default gen_random_uuid(),
    user_id text not null,
    text text not null,
    created_at timestamptz not null default now(),
    idempotency_key text,
    unique (user_id, idempotency_key)
  );
  create index if not exists notes_newest on demo.notes (user_id, created_at desc);
`;

/** Any number will do, as long as every node of the demo takes the same lock. */
const migrationLock = 4_600_001;

const maxTextLength = 2_000;
const maxListed = 100;

type Database = Holdfast['database'];
type NoteRow = { readonly id: string; readonly text: string; readonly created_at: Date };

/** Creates the notes' table; safe while other nodes do the same. */
export async function migrateNotes(database: Database): Promise<void> {
  const connection = await database.connect();
  try {
    await connection.query('begin');
    await connection.query('select pg_advisory_xact_lock($1)', [migrationLock]);
    await connection.query(migration);
    await connection.query('commit');
  } catch (error) {
    await connection.query('rollback').catch(() => undefined);
    throw error;
  } finally {
    connection.release();
  }
}

/** The user's notes, newest first, at most a hundred. */
export async function listNotes(database: Database, userId: string): Promise<Answer> {
  const { rows } = await database.query<NoteRow>(
    'select id, text, created_at from demo.notes where user_id = $1 order by created_at desc, id limit $2',
    [userId, maxListed],
  );
  return { status: 200, body: { notes: rows.map(presentNote) } };
}

/**
 * Writes a note.
 *
 * @param body `{ text }`, 1 to 2000 characters
 * @param idempotencyKey the header as it was sent: a repeated request with the same key and text answers with the note
 *   that the first one made (200 instead of 201), one with another text is refused (422)
 * @see draft-ietf-httpapi-idempotency-key-header
 */
export async function createNote(
  database: Database,
  userId: string,
  body: Readonly<Record<string, unknown>>,
  idempotencyKey: string | undefined,
): Promise<Answer> {
  const { text } = body;
  if (typeof text !== 'string' || text.trim() === '' || text.length > maxTextLength) {
    return problem(400, 'Bad Request', `"text" must be a string of 1 to ${maxTextLength} characters.`);
  }
  // PostgreSQL stores neither; half a surrogate pair would come back as another text.
  if (/\0|\p{Surrogate}/u.test(text)) {
    return problem(400, 'Bad Request', '"text" must be well-formed Unicode without null characters.');
  }
  if (idempotencyKey !== undefined && !/^[\x21-\x7e]{1,255}$/.test(idempotencyKey)) {
    return problem(400, 'Bad Request', 'Idempotency-Key must be 1 to 255 visible ASCII characters.');
  }
  const inserted = await database.query<NoteRow>(
    `insert into demo.notes (user_id, text, idempotency_key) values ($1, $2, $3)
     on conflict (user_id, idempotency_key) do nothing returning id, text, created_at`,
    [userId, text, idempotencyKey ?? null],
  );
  const [note] = inserted.rows;
  if (note !== undefined) return { status: 201, body: presentNote(note) };
  return repeatedNote(database, userId, text, idempotencyKey);
}

async function repeatedNote(
  database: Database,
  userId: string,
  text: string,
  idempotencyKey: string | undefined,
): Promise<Answer> {
  const { rows } = await database.query<NoteRow>(
    'select id, text, created_at from demo.notes where user_id = $1 and idempotency_key = $2',
    [userId, idempotencyKey],
  );
  const [note] = rows;
  if (note?.text === text) return { status: 200, body: presentNote(note) };
  return problem(422, 'Unprocessable Content', 'This Idempotency-Key was used for another note.');
}

function presentNote(row: NoteRow): { id: string; text: string; createdAt: string } {
  return { id: row.id, text: row.text, createdAt: row.created_at.toISOString() };
}
