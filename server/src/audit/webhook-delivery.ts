import type { Report } from '../kernel/events.ts';
import type { Fetch } from '../kernel/fetch-json.ts';
import { startLoop } from '../kernel/loop.ts';
import type { Policy } from '../kernel/policy.ts';
import type { WebhookDelivery, WebhookStore } from '../storage/event-store.ts';
import { createWebhookMessage, type Webhook } from './webhooks.ts';

/** Delivers the events in the outbox. */
export type WebhookSender = {
  /** Waits for deliveries under way and starts no more. */
  readonly close: () => Promise<void>;
};

export type WebhookDeliveryParts = {
  readonly store: WebhookStore;
  readonly webhooks: readonly Webhook[];
  readonly policy: Pick<Policy, 'webhookPollMs' | 'webhookTimeoutMs' | 'webhookMaxAttempts'>;
  readonly report: Report;
  /** Warns the operator of one kind of fault. The arguments contain no event. */
  readonly warnOf: (kind: string) => (message: string, failure: unknown) => void;
  /** Default: the global `fetch`. */
  readonly fetch?: Fetch;
};

/** Concurrent deliveries to one endpoint from one node. */
const BATCH_SIZE = 16;
const FIRST_DELAY_SECONDS = 5;
const LONGEST_DELAY_SECONDS = 6 * 3_600;
/**
 * How much longer than its request's timeout a delivery is leased to this node. Another node takes it over afterwards.
 */
const GRACE_SECONDS = 30;
/** Status 410: the receiver wants no more events. */
const GONE = 410;

/**
 * Starts one delivery loop per endpoint, so that a slow endpoint delays no other. Nodes share the work: each takes
 * deliveries that no other has taken. Every event is sent at least once, again if an answer was lost, and in no
 * guaranteed order.
 */
export function startWebhookDelivery(parts: WebhookDeliveryParts): WebhookSender {
  const { store, webhooks, policy, warnOf } = parts;
  const leaseSeconds = Math.ceil(policy.webhookTimeoutMs / 1_000) + GRACE_SECONDS;
  const loops = webhooks.map((webhook) =>
    startLoop({
      step: async () => {
        const deliveries = await store.take(webhook.id, BATCH_SIZE, leaseSeconds);
        await Promise.all(deliveries.map((delivery) => deliver(delivery, webhook, parts)));
        return deliveries.length === BATCH_SIZE;
      },
      pauseMs: policy.webhookPollMs,
      onFailure: (failure) =>
        warnOf(`webhook ${webhook.id} unserved`)(`the webhook ${webhook.id} could not be served`, failure),
    }),
  );
  return {
    close: async () => {
      await Promise.all(loops.map((loop) => loop.stop()));
    },
  };
}

async function deliver(delivery: WebhookDelivery, webhook: Webhook, parts: WebhookDeliveryParts): Promise<void> {
  const { store, policy, report, warnOf } = parts;
  const { event, attempts } = delivery;
  const failure = await send(delivery, webhook, parts);
  if (failure === null) return store.confirm(event.id, webhook.id);
  if (attempts < policy.webhookMaxAttempts && failure !== `status ${GONE}`) {
    return store.postpone(event.id, webhook.id, { attempts, failure, delaySeconds: delaySeconds(attempts) });
  }
  await store.abandon(event.id, webhook.id, { attempts, failure });
  report({ type: 'webhook.abandoned', endpoint: webhook.id, eventId: event.id, attempts, failure });
  const message = `the webhook ${webhook.id} was given up for an event, after ${attempts} attempts: ${failure}`;
  warnOf(`webhook ${webhook.id} given up`)(message, null);
}

/** Sends an event. @returns the failure in words, without content of request or answer; null if the receiver has it */
async function send(
  { event }: WebhookDelivery,
  webhook: Webhook,
  { policy, fetch = globalThis.fetch }: WebhookDeliveryParts,
): Promise<string | null> {
  const { headers, body } = createWebhookMessage(event, webhook, Date.now() / 1_000);
  const signal = AbortSignal.timeout(policy.webhookTimeoutMs);
  try {
    // Follow no redirect: it could lead to an address that only this host can reach. It counts as a failure.
    const response = await fetch(webhook.url, { method: 'POST', headers, body, redirect: 'manual', signal });
    await response.body?.cancel();
    return response.ok ? null : `status ${response.status}`;
  } catch {
    return signal.aborted ? 'no answer in time' : 'no connection';
  }
}

/** Computes the delay: doubles with every attempt, with jitter to spread deliveries that failed together. */
function delaySeconds(attempts: number): number {
  const longest = Math.min(FIRST_DELAY_SECONDS * 2 ** (attempts - 1), LONGEST_DELAY_SECONDS);
  return longest * (0.5 + Math.random() / 2);
}
