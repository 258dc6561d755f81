import { createHoldfast, type Holdfast } from '../holdfast.ts';
import { createKeyRing } from '../kernel/key-ring.ts';
import { resolvePolicy } from '../kernel/policy.ts';
import { rotateSigningKeys, statusOf, type SigningKeysParts, type SigningKeyStatus } from '../keys/signing-keys.ts';
import { closeConnections, openConnections } from '../postgres/connections.ts';
import { migrate, MIGRATIONS } from '../postgres/migrations.ts';
import { createSigningKeyStore } from '../postgres/signing-key-store.ts';
import type { Configuration } from './configuration.ts';
import { findUser, type Lines } from './users.ts';

const quiet = { info: () => {}, warn: () => {}, error: () => {} };

/** Migrates the database's schema to this release. */
export async function runMigrations({ options }: Configuration): Promise<Lines> {
  await migrate(options.databaseUrl, resolvePolicy(options.policy).connectTimeoutMs);
  return [`The schema is at version ${MIGRATIONS.at(-1)?.version ?? 0}.`];
}

export async function listKeys(configuration: Configuration): Promise<Lines> {
  return withKeys(configuration, async ({ store }) => formatKeys(statusOf(await store.list())));
}

/** Publishes the next key now. With `isCompromised` replaces every key at once. */
export async function rotateKeys(configuration: Configuration, isCompromised: boolean): Promise<Lines> {
  return withKeys(configuration, async (parts) => {
    const lines = formatKeys(await rotateSigningKeys(parts, { isCompromised }));
    const { signingKeyPollSeconds } = parts.policy;
    const note = isCompromised
      ? `Every node signs with the new key within ${signingKeyPollSeconds} seconds; clients refresh, nobody is signed out.`
      : 'The next key is published; it signs by itself when its time has come.';
    return [...lines, note];
  });
}

async function withKeys({ options }: Configuration, work: (parts: SigningKeysParts) => Promise<Lines>): Promise<Lines> {
  const policy = resolvePolicy(options.policy);
  const keyRing = createKeyRing(options.secret, options.acceptedSecrets, options.retiredSecrets);
  await migrate(options.databaseUrl, policy.connectTimeoutMs);
  const connections = openConnections(options.databaseUrl, policy, () => {});
  try {
    return await work({ store: createSigningKeyStore(connections), keyRing, policy });
  } finally {
    await closeConnections(connections);
  }
}

function formatKeys(keys: readonly SigningKeyStatus[]): Lines {
  if (keys.length === 0) return ['There is no key yet; the first node to start makes one.'];
  return keys.map(
    ({ kid, algorithm, role, signsFromMs }) =>
      `${role.padEnd(8)}  ${kid}  ${algorithm}  signs from ${new Date(signsFromMs).toISOString()}`,
  );
}

/** Ends one session, or all sessions of a user given by `sub` or username. */
export async function revokeSessions(
  configuration: Configuration,
  target: { readonly sid: string } | { readonly user: string },
): Promise<Lines> {
  return withHoldfast(configuration, async ({ sessions, users }) => {
    if ('sid' in target) {
      const isRevoked = await sessions.revoke(target.sid);
      return [isRevoked ? 'The session has ended.' : 'There is no such live session.'];
    }
    const { sub } = await findUser(users, target.user);
    const { count, isComplete } = await sessions.revokeAllOfUser(sub);
    const rest = isComplete ? [] : ['There are more of them: a running node ends the rest.'];
    return [`${count} sessions have ended.`, ...rest];
  });
}

/** Runs `work` with a server that does not listen. */
export async function withHoldfast(
  { options }: Configuration,
  work: (holdfast: Holdfast) => Promise<Lines>,
): Promise<Lines> {
  const holdfast = await createHoldfast({ ...options, logger: quiet });
  try {
    return await work(holdfast);
  } finally {
    await holdfast.close();
  }
}
