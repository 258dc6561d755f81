import { api } from '../session/session.ts';

/** What the server counted for one session since it started. */
export type ServerCount = { readonly sid: string | null; readonly tokenRequests: number };

/** The server refuses the access token of this request from now on. */
export async function expireAccessToken(): Promise<void> {
  await api.post('demo/expire-access-token');
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
