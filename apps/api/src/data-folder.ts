import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where the demo keeps its database and its secret: `.data` at the repository's root, seen from src or dist. */
export const defaultDataFolder: string = fileURLToPath(new URL('../../../.data', import.meta.url));

/** The master secret in a data folder, made at the first call; only its owner may read the file. */
export function readOrCreateSecret(folder: string): string {
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, 'secret');
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 });
  try {
    // A link is all or nothing: of two processes that start together one wins, and neither reads half a secret.
    linkSync(draft, file);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    rmSync(draft);
  }
  return readFileSync(file, 'utf8').trim();
}
