import { isUuid } from '../../kernel/ids.ts';
import type { DeviceCursor, ListedSession } from '../../storage/store.ts';
import { invalidRequest, json } from '../answers.ts';
import { DONE, errorBody, idInPath, jsonBody, NOT_FOUND, ref, text } from '../description.ts';
import type { Endpoint } from '../endpoint.ts';
import { readQuery, type Parameters } from '../form.ts';
import { endedSessions, noContent, requireRecentAuthentication, toSeconds, unknownResource } from '../resource.ts';

/** Longest name of a device, in characters. */
const LABEL_LENGTH = 64;
/** Devices per page: the maximum and the default. */
const PAGE_SIZE = 100;

/** Lists the user's devices, and ends all other sessions. */
export const SESSIONS_ENDPOINT: Endpoint<'resource'> = {
  kind: 'resource',
  path: '/sessions',
  methods: {
    GET: {
      description: {
        operationId: 'listSessions',
        summary: "The user's devices",
        parameters: [
          {
            name: 'limit',
            in: 'query',
            schema: { type: 'integer', minimum: 1, maximum: PAGE_SIZE, default: PAGE_SIZE },
          },
          { name: 'after', in: 'query', schema: { type: 'string' }, description: '`next` of the page before' },
        ],
        responses: {
          200: jsonBody('One entry for each device, the one used last first', {
            type: 'object',
            required: ['sessions', 'next'],
            properties: { sessions: { type: 'array', items: ref('Session') }, next: { type: ['string', 'null'] } },
          }),
          400: errorBody('A parameter of the query is malformed'),
        },
      },
      answer: async ({ claims, request }, { listSessions }) => {
        const parameters = readQuery(request);
        const page = { currentSid: claims.sid, after: readCursor(parameters), limit: readLimit(parameters) };
        const { sessions, next } = await listSessions(claims.sub, page);
        return json(200, { sessions: sessions.map(describe), next: next === null ? null : formatCursor(next) });
      },
    },
    DELETE: {
      description: {
        operationId: 'endOtherSessions',
        summary: 'End every other session of the user',
        description: 'Needs a recent authentication.',
        responses: { 200: jsonBody('How many ended', ref('EndedSessions')) },
      },
      answer: async (access, parts) => {
        requireRecentAuthentication(access, parts);
        const { sub, sid } = access.claims;
        const by = { address: access.request.remoteAddress };
        return endedSessions(await parts.sessions.revokeAllOfUser(sub, 'user', { ...by, sparedSid: sid }));
      },
    },
  },
};

/** Names the device of one session, or ends the session. The caller's own session needs no recent authentication. */
export const SESSION_ENDPOINT: Endpoint<'resource'> = {
  kind: 'resource',
  path: '/sessions/{id}',
  methods: {
    PATCH: {
      description: {
        operationId: 'labelSession',
        parameters: idInPath('`sid` of the session'),
        summary: 'Name the device of a session',
        form: { required: [], fields: { device_label: text('At most 64 characters; left out: no name') } },
        responses: { 204: DONE, 404: NOT_FOUND },
      },
      answer: async ({ claims, id, parameters }, { labelSession }) => {
        const label = parameters.get('device_label') ?? null;
        if (label !== null && label.length > LABEL_LENGTH) {
          throw invalidRequest(`device_label is at most ${LABEL_LENGTH} characters`);
        }
        if (!isUuid(id) || !(await labelSession(id, claims.sub, label))) throw unknownResource();
        return noContent();
      },
    },
    DELETE: {
      description: {
        operationId: 'endSession',
        parameters: idInPath('`sid` of the session'),
        summary: 'Sign out of this session, or end another device',
        description: 'Another one than the own needs a recent authentication.',
        responses: { 204: DONE, 404: NOT_FOUND },
      },
      answer: async (access, parts) => {
        const { claims, id } = access;
        const isOwn = id === claims.sid;
        if (!isOwn) requireRecentAuthentication(access, parts);
        const by = { sub: claims.sub, address: access.request.remoteAddress };
        if (!isUuid(id)) throw unknownResource();
        const { signOutOf, endChain } = parts.sessions;
        if (!(await (isOwn ? signOutOf(id, by) : endChain(id, 'user', by)))) throw unknownResource();
        return noContent();
      },
    },
  },
};

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
  if (!/^\d{1,15}$/.test(time) || !isUuid(sid)) throw invalidRequest('after is the next of the page before');
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
