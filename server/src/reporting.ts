import { HoldfastError } from './errors.ts';
import { startEventLog } from './event-log.ts';
import type { HoldfastEvent, Report } from './events.ts';
import type { Logger } from './holdfast.ts';
import type { HttpRequest } from './http/message.ts';
import type { Answered } from './http/router.ts';
import type { Policy } from './policy.ts';
import { sqlStateOf } from './postgres/connections.ts';
import type { Store } from './store.ts';
import { startWebhookDelivery } from './webhook-delivery.ts';
import type { Webhook } from './webhooks.ts';

/** Where facts go: to listeners at once, to the audit log and the webhooks soon after. */
export interface Reporting {
  readonly report: Report;
  /** Ends deliveries and writes what is left. */
  readonly close: () => Promise<void>;
}

export interface ReportingParts {
  readonly store: Pick<Store, 'events' | 'webhooks'>;
  readonly webhooks: readonly Webhook[];
  readonly policy: Policy;
  /** Called for every fact, in order; what one throws is logged and changes nothing. */
  readonly listeners: readonly ((event: HoldfastEvent) => void)[];
  readonly logger: Logger;
}

export function startReporting({ store, webhooks, policy, listeners, logger }: ReportingParts): Reporting {
  const warn = (message: string, failure: unknown): void =>
    logger.warn({ sqlState: sqlStateOf(failure), err: describeBug(failure) }, message);
  const log = startEventLog(store.events.append, policy, warn);
  const everybody = [...listeners, log.record];
  const report: Report = (fact) => {
    const event: HoldfastEvent = Object.assign({ atMs: Date.now() }, fact);
    for (const listener of everybody) {
      try {
        listener(event);
      } catch (err) {
        logger.error({ type: fact.type, err: describeBug(err) }, 'the event listener threw');
      }
    }
  };
  const delivery = startWebhookDelivery({ store: store.webhooks, webhooks, policy, report, warn });
  return {
    report,
    close: async () => {
      await delivery.close();
      await log.close();
    },
  };
}

/** Tells the operator about answers that are the server's own fault, and everybody about every answer. */
export function reportAnswer(
  request: HttpRequest,
  { response, failure }: Answered,
  report: Report,
  logger: Logger,
): void {
  const { method, path } = request;
  const { status } = response;
  report({
    type: 'request.answered',
    method,
    path,
    status,
    error: failure?.error ?? null,
    reason: failure?.reason ?? null,
  });
  if (failure === null) return;
  const { cause } = failure;
  const sqlState = sqlStateOf(failure);
  if (status === 500) logger.error({ path, sqlState, err: describeBug(cause) }, 'a request failed unexpectedly');
  if (!(cause instanceof HoldfastError) || cause.code !== 'unavailable') return;
  report({ type: 'database.doubted', sqlState });
  logger.warn({ path, sqlState, cause: cause.message }, 'the database is in doubt: a request was answered 503');
}

/** A bug's class and stack, without its message: a driver may quote what it was given. */
function describeBug(cause: unknown): object {
  if (!(cause instanceof Error)) return { type: typeof cause };
  const frames = (cause.stack ?? '').split('\n').filter((line) => line.startsWith('    at '));
  return { type: cause.name, stack: frames.join('\n') };
}
