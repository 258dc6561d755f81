import { createHmac } from 'node:crypto';
import type { HoldfastEvent } from '../kernel/events.ts';
import { isSafeUrl } from '../kernel/fetch-json.ts';
import type { StoredEvent, Subscriber } from '../storage/event-store.ts';

/** An endpoint that receives events as they happen. */
export type WebhookRegistration = {
  /** Id of the endpoint in the outbox. Keep it if the URL changes. 1 to 64 of `A-Z a-z 0-9 _ -`. */
  readonly id: string;
  /** https URL, or http on the loopback interface, without user name and password. Redirects are not followed. */
  readonly url: string;
  /** `whsec_` and the base64 of 24 to 64 random bytes, shared with the receiver. */
  readonly secret: string;
  /** Previous secret, which also signs while receivers change to the new one. */
  readonly previousSecret?: string;
  /** Kinds of events to deliver. Default: all that the audit log keeps. */
  readonly events?: readonly HoldfastEvent['type'][];
};

/** A checked registration. */
export type Webhook = {
  readonly url: string;
  readonly keys: readonly Buffer[];
} & Subscriber;

const ID = /^[A-Za-z0-9_-]{1,64}$/;
const SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/;
const SECRET_BYTES = { least: 24, most: 64 } as const;

/**
 * Checks registrations.
 *
 * @throws TypeError that names the webhook and the field, never the secret
 */
export function registerWebhooks(registrations: readonly WebhookRegistration[]): readonly Webhook[] {
  const ids = new Set<string>();
  return registrations.map(({ id, url, secret, previousSecret, events }) => {
    if (typeof id !== 'string' || !ID.test(id)) throw new TypeError('webhooks: an id is 1 to 64 of A-Z a-z 0-9 _ -');
    const where = `webhooks[${id}]`;
    if (ids.has(id)) throw new TypeError(`${where} is registered twice`);
    ids.add(id);
    if (typeof url !== 'string' || !isSafeUrl(url)) {
      throw new TypeError(`${where}.url is an https URL, or http on the loopback interface, without credentials`);
    }
    const secrets = previousSecret === undefined ? [secret] : [secret, previousSecret];
    const wanted = events === undefined ? null : new Set<string>(events);
    return {
      id,
      url,
      keys: secrets.map((text) => readSecret(text, where)),
      // An event about an abandoned webhook would be abandoned too.
      isWanted: (type) => type !== 'webhook.abandoned' && (wanted === null || wanted.has(type)),
    };
  });
}

function readSecret(secret: string, where: string): Buffer {
  const [, encoded] = typeof secret === 'string' ? (SECRET.exec(secret) ?? []) : [];
  const key = Buffer.from(encoded ?? '', 'base64');
  if (key.length >= SECRET_BYTES.least && key.length <= SECRET_BYTES.most) return key;
  throw new TypeError(
    `${where}.secret is whsec_ and the base64 of ${SECRET_BYTES.least} to ${SECRET_BYTES.most} bytes`,
  );
}

/** The HTTP message of an event. */
export type WebhookMessage = {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/**
 * Writes and signs the message of an event. The signature covers id and time, so that a receiver can refuse an old
 * message and ignore a repeated one.
 *
 * @param nowSeconds time of this attempt, in seconds since the epoch
 * @see Standard Webhooks, https://www.standardwebhooks.com
 */
export function createWebhookMessage(
  event: StoredEvent,
  { keys }: Pick<Webhook, 'keys'>,
  nowSeconds: number,
): WebhookMessage {
  const { id, type, atMs, ...data } = event;
  const body = JSON.stringify({ type, timestamp: new Date(atMs).toISOString(), data });
  const timestamp = String(Math.floor(nowSeconds));
  const signatures = keys.map(
    (key) => `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`,
  );
  return {
    headers: {
      'content-type': 'application/json',
      'user-agent': 'Holdfast-Webhooks/1',
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': signatures.join(' '),
    },
    body,
  };
}
