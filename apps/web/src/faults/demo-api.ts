import { api } from '../session/session.ts';

/** The server's counts for one session since it started. */
export type ServerCount = { readonly sid: string | null; readonly tokenRequests: number };

/** The server refuses the access token of this request from now on. */
export async function expireAccessToken(): Promise<void> {
  await api.post('demo/expire-access-token');
}

/** How long a session lasts that is to end soon. */
const END_SOON_SECONDS = 90;

/** The session ends soon unless its user extends it, and the page knows. */
export async function endSessionSoon(): Promise<void> {
  // One refresh tells the server of the click. The next one does not lengthen the session, as if the user had been away.
  await expireAccessToken();
  await countTokenRequests(null);
  await api.post('demo/end-soon', { json: { seconds: END_SOON_SECONDS } });
  await countTokenRequests(null);
}

/** The server ends this session: the next refresh is rejected. */
export async function revokeSession(): Promise<void> {
  await api.post('demo/revoke-session');
}

/** How many token requests the server has answered for the session with this id. */
export async function countTokenRequests(sid: string | null): Promise<ServerCount> {
  const { tokenRequests } = await api.get('demo/stats').json<{ readonly tokenRequests: number }>();
  return { sid, tokenRequests };
}

/** The faults that the demo's server can make for this session. */
export type Fault = { readonly kind: 'outage' | 'slow'; readonly seconds: number } | { readonly kind: 'lost-answer' };

/** The server misbehaves towards this session from now on. */
export async function startFault(fault: Fault): Promise<void> {
  await api.post('demo/faults', { json: fault });
}

/** Copies this session's cookie, as malware would. Resolves with the name of the copy, which the server keeps. */
export async function stealSession(): Promise<string> {
  return (await api.post('demo/steal').json<{ readonly copy: string }>()).copy;
}
