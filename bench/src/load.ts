// The clients: each on a token chain of its own, one request at a time, the next one with the token that came back.
import { Agent, request } from 'node:http';

export type VirtualClient = { refreshToken: string };

export type Load = { readonly refreshes: number; readonly seconds: number; readonly latenciesMs: readonly number[] };

/**
 * Lets every client refresh as fast as it is answered.
 *
 * @throws Error at the first answer that is not 200 with a new refresh token: a wrong answer would be a fast one
 */
export async function runLoad(port: number, clients: readonly VirtualClient[], durationMs: number): Promise<Load> {
  const agent = new Agent({ keepAlive: true, maxSockets: clients.length });
  const latenciesMs: number[] = [];
  const startedAtMs = performance.now();
  const endsAtMs = startedAtMs + durationMs;
  await Promise.all(
    clients.map(async (client) => {
      while (performance.now() < endsAtMs) {
        const sentAtMs = performance.now();
        client.refreshToken = await refresh(port, client.refreshToken, agent);
        latenciesMs.push(performance.now() - sentAtMs);
      }
    }),
  );
  agent.destroy();
  const seconds = (performance.now() - startedAtMs) / 1000;
  return { refreshes: latenciesMs.length, seconds, latenciesMs: latenciesMs.toSorted((a, b) => a - b) };
}

function refresh(port: number, refreshToken: string, agent: Agent): Promise<string> {
  const body = `grant_type=refresh_token&client_id=app&refresh_token=${encodeURIComponent(refreshToken)}`;
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    'content-length': Buffer.byteLength(body),
  };
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path: '/token', method: 'POST', headers, agent }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => {
        const next = response.statusCode === 200 ? (JSON.parse(text) as { refresh_token?: string }).refresh_token : '';
        if (next === undefined || next === '' || next === refreshToken) {
          reject(new Error(`a refresh was answered ${response.statusCode}: ${text.slice(0, 200)}`));
        } else resolve(next);
      });
    });
    sent.once('error', reject);
    sent.end(body);
  });
}
