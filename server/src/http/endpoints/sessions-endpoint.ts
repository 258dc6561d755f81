import { isSid } from '../../kernel/ids.ts';
import type { DeviceCursor, ListedSession } from '../../storage/store.ts';
import { invalidRequest, json } from '../answers.ts';
import { readQuery, type Parameters } from '../form.ts';
import {
  endedSessions,
  noContent,
  requireRecentAuthentication,
  toSeconds,
  unknownResource,
  type ResourceEndpoint,
} from '../resource.ts';

/** Longest name of a device, in characters. */
const LABEL_LENGTH = 64;

/** Lists the user's devices, and ends all other sessions. */
export const SESSIONS_ENDPOINT: ResourceEndpoint = {
  kind: 'resource',
  path: '/sessions',
  methods: {
    GET: async ({ claims, request }, { listSessions }) => {
      const parameters = readQuery(request);
      const page = { currentSid: claims.sid, after: readCursor(parameters), limit: readLimit(parameters) };
      const { sessions, next } = await listSessions(claims.sub, page);
      return json(200, { sessions: sessions.map(describe), next: next === null ? null : formatCursor(next) });
    },
    DELETE: async (access, parts) => {
      requireRecentAuthentication(access, parts);
      const { sub, sid } = access.claims;
      const by = { address: access.request.remoteAddress };
      return endedSessions(await parts.sessions.revokeAllOfUser(sub, 'user', { ...by, sparedSid: sid }));
    },
  },
};

/** Names the device of one session, or ends the session. The caller's own session needs no recent authentication. */
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
      if (!isSid(id)) throw unknownResource();
      const { signOutOf, endChain } = parts.sessions;
      if (!(await (isOwn ? signOutOf(id, by) : endChain(id, 'user', by)))) throw unknownResource();
      return noContent();
    },
  },
};

/** Devices per page: the maximum and the default. */
const PAGE_SIZE = 100;

function readLimit(parameters: Parameters): number {
  const text = parameters.get('limit') ?? String(PAGE_SIZE);
  const limit = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > PAGE_SIZE) throw invalidRequest(`limit is 1 to ${PAGE_SIZE}`);
  return limit;
}

/** Parses `after`: the `next` of an earlier page, opaque to clients. */
function readCursor(parameters: Parameters): DeviceCursor | null {
  const text = parameters.get('after');
  if (text === undefined) return null;
  const [time = '', sid = ''] = text.split('.', 2);
  if (!/^\d{1,15}$/.test(time) || !isSid(sid)) throw invalidRequest('after is the next of the page before');
  return { lastUsedAtMs: Number(time), sid };
}

function formatCursor({ lastUsedAtMs, sid }: DeviceCursor): string {
  return `${lastUsedAtMs}.${sid}`;
}

function describe(session: ListedSession): object {
  return {
    sid: session.sid,
    device_id: session.deviceId,
    current: session.isCurrent,
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
