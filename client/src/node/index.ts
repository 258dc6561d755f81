import { createHash, randomBytes } from 'node:crypto';
import path from 'node:path';
import process from 'node:process';
import type { Platform } from '../core/ports.ts';
import { warnOnce } from '../platform/warn-once.ts';
import { lookingAfterReads, watchedSignals } from '../platform/watched-signals.ts';
import { nodeClock } from './clock.ts';
import { fileDeviceSecret } from './device-secret.ts';
import { defaultFolder } from './folder.ts';
import { fileOutbox } from './outbox.ts';
import { preparePrivateFolder, versionOf } from './private-path.ts';
import { fileRefreshLock } from './refresh-lock.ts';
import { sleepSignals } from './signals.ts';
import { nodeTransport } from './transport.ts';
import { fileVault } from './vault.ts';

/** Options of `node()`: how a program stores its session. */
export type NodeOptions = {
  /** Names the stored session. Processes with the same name share it. Letters, digits, `_` and `-`. */
  readonly name: string;
  /**
   * The folder of the stored session. Default: `holdfast` in the user's folder for program state (`$XDG_STATE_HOME` or
   * `~/.local/state`, `~/Library/Application Support`, `%LOCALAPPDATA%`). It is created for the user alone. A folder
   * that others may write to is refused.
   */
  readonly folder?: string;
  /**
   * Keeps the process running until `auth.dispose()`. Default `true`. With `false` the process may end while a request
   * waits for the network to come back.
   */
  readonly keepsProcessAlive?: boolean;
  /**
   * Called if a file was readable by others, was damaged, or cannot be used until the user repairs it.
   * Default: `process.emitWarning`.
   */
  readonly onWarning?: (message: string) => void;
};

/**
 * Creates the ports for command-line programs and services on Node. The session is in a file that only its owner may
 * read. All processes of the user with the same `name` share it.
 *
 * @throws `TypeError` for a name that cannot be a file name, and a `HoldfastError` with code `storage-unavailable` if
 * the folder cannot be created, belongs to another user, or is writable by others
 *
 * @example
 * const platform = node({ name: 'my-cli' })
 * const auth = createAuthService({ issuer: 'https://api.example.com', clientId: 'cli', platform })
 */
export function node(options: NodeOptions): Platform {
  const { name, folder = defaultFolder(), keepsProcessAlive = true, onWarning } = options;
  if (!/^[a-z0-9][\w-]{0,63}$/iu.test(name))
    throw new TypeError('name must begin with a letter or digit and be letters, digits, "_" or "-", 64 at most');
  preparePrivateFolder(folder);
  const fileOf = (suffix: string): string => path.resolve(folder, `${name}${suffix}`);
  const warn = warnOnce(onWarning ?? ((message) => process.emitWarning(message, { code: 'HOLDFAST_STORAGE' })));
  const sleep = sleepSignals(nodeClock(false), () => look());
  const { signals, look } = watchedSignals(sleep, () => versionOf(fileOf('.json')));
  return {
    clock: nodeClock(keepsProcessAlive),
    transport: nodeTransport,
    vault: lookingAfterReads(fileVault(fileOf('.json'), warn), look),
    outbox: fileOutbox(fileOf('.outbox.json'), warn),
    refreshLock: fileRefreshLock(fileOf('.refresh.lock')),
    signals,
    look,
    // Nothing to send: other processes look at the file before each token.
    announce: () => {},
    random: Math.random,
    randomToken: () => randomBytes(32).toString('base64url'),
    deviceSecret: fileDeviceSecret(fileOf('.device.json'), warn),
    sha256: (text) => Promise.resolve(createHash('sha256').update(text).digest('base64url')),
    refreshTokenTransport: 'body',
  };
}
