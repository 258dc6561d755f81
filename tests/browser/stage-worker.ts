// Runs in a worker or service worker of a stage: the real client, which does what a page tells it. Bundled by `stage.ts`.
import { createAuthService, HoldfastError } from 'holdfast';
import { web, webProofSigner } from 'holdfast/web';

/** The messages that a page can send it. */
export type Told = 'send' | 'status' | 'sentAfterNews';

const query = new URLSearchParams(location.search);
const mode = query.get('mode') ?? 'cookie';

const auth = createAuthService({
  issuer: location.origin,
  clientId: mode,
  platform: web({
    refreshTokenTransport: mode === 'cookie' ? 'cookie' : 'body',
    ...(mode === 'bound' ? { signProof: webProofSigner() } : {}),
  }),
});

/** The user whose token the API received, or the reason why it received none. */
const send = (): Promise<string> =>
  auth.fetch(`${location.origin}/notes`).then(
    async (response) => String(((await response.json()) as { readonly sub?: string }).sub),
    (error: unknown) => (error instanceof HoldfastError ? error.code : String(error)),
  );

// Opened after the session's own channel, so it is told after it: whatever it sends comes after the news.
const sentAfterNews: Promise<string>[] = [];
new BroadcastChannel(`holdfast-${location.origin} ${mode}`).addEventListener('message', () => {
  sentAfterNews.push(send());
});

addEventListener('install', () => (globalThis as unknown as { skipWaiting(): void }).skipWaiting());
addEventListener('message', (event: MessageEvent) => {
  const [port] = event.ports;
  const replies: Readonly<Record<Told, () => unknown>> = {
    send,
    status: () => auth.getSnapshot().status,
    sentAfterNews: () => Promise.all(sentAfterNews.splice(0)),
  };
  void Promise.resolve(replies[event.data as Told]()).then((reply) => port?.postMessage(reply));
});
