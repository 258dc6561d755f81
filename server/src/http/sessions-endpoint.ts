import { isSid } from '../refresh-token.ts';
import type { ListedSession } from '../store.ts';
import { invalidRequest, json } from './answers.ts';
import { noContent, requireRecentAuthentication, toSeconds, unknownResource } from './resource.ts';
import type { ResourceEndpoint } from './resource.ts';

/** Longest name of a device, in characters. */
const LABEL_LENGTH = 64;

/** The user's devices, and the end of all the others. */
export const SESSIONS_ENDPOINT: ResourceEndpoint = {
  kind: 'resource',
  path: '/sessions',
  methods: {
    GET: async ({ claims }, { listSessions, clients }) => {
      const timeouts = new Map(
        [...clients.values()].map((client) => [client.clientId, client.lifetimes.inactivityTimeoutSeconds]),
      );
      const sessions = await listSessions(claims.sub, timeouts);
      return json(200, { sessions: sessions.map((session) => describe(session, claims.sid)) });
    },
    DELETE: async (access, parts) => {
      requireRecentAuthentication(access, parts);
      const { sub, sid } = access.claims;
      const by = { address: access.request.remoteAddress };
      return json(200, { ended: await parts.sessions.revokeAllOfUser(sub, 'user', { ...by, sparedSid: sid }) });
    },
  },
};

/** One session: its device's name, and its end. One's own can always be ended. */
export const SESSION_ENDPOINT: ResourceEndpoint = {
  kind: 'resource',
  path: '/sessions/{id}',
  methods: {
    PATCH: async ({ claims, id, parameters }, { labelSession }) => {
      const label = parameters.get('device_label') ?? null;
      if (label !== null && label.length > LABEL_LENGTH) {
        throw invalidRequest(`device_label is at most ${LABEL_LENGTH} characters`);
      }
      if (!isSid(id) || !(await labelSession(id, claims.sub, label))) throw unknownResource();
      return noContent();
    },
    DELETE: async (access, parts) => {
      const { claims, id } = access;
      const isOwn = id === claims.sid;
      if (!isOwn) requireRecentAuthentication(access, parts);
      const by = { sub: claims.sub, address: access.request.remoteAddress };
      if (!isSid(id) || !(await parts.sessions.revoke(id, isOwn ? 'signed_out' : 'user', by))) throw unknownResource();
      return noContent();
    },
  },
};

function describe(session: ListedSession, currentSid: string): object {
  return {
    sid: session.sid,
    current: session.sid === currentSid,
    client_id: session.clientId,
    device_label: session.deviceLabel,
    user_agent: session.userAgent,
    address: session.address,
    created_at: toSeconds(session.createdAtMs),
    last_used_at: toSeconds(session.lastUsedAtMs),
    expires_at: toSeconds(session.expiresAtMs),
    signed_in_with: session.amr.includes('pwd') ? 'password' : 'passkey',
    auth_time: session.authTimeSeconds,
    amr: session.amr,
    acr: session.acr,
  };
}
