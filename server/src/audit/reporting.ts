import { HoldfastServerError } from '../kernel/errors.ts';
import type { HoldfastEvent, Report } from '../kernel/events.ts';
import type { FaultLog, SqlStateOf } from '../kernel/fault-log.ts';
import type { HttpRequest, HttpResponse } from '../kernel/http-message.ts';
import type { Policy } from '../kernel/policy.ts';
import type { Store } from '../storage/store.ts';
import { startEventLog } from './event-log.ts';
import { startWebhookDelivery } from './webhook-delivery.ts';
import type { Webhook } from './webhooks.ts';

/** Passes facts to listeners at once, and to the audit log and the webhooks soon after. */
export type Reporting = {
  readonly report: Report;
  /**
   * Reports every answer to the listeners, and the server's own faults to the operator.
   *
   * @param route the endpoint's path as registered, never as sent
   */
  readonly reportAnswer: (request: HttpRequest, route: string, answered: ReportedAnswer) => void;
  /** Ends deliveries and writes what is left. */
  readonly close: () => Promise<void>;
};

/** The part of an answer that is reported. */
export type ReportedAnswer = {
  readonly response: Pick<HttpResponse, 'status'>;
  /** The failure behind an error answer; null for a success. */
  readonly failure: (Error & { readonly error: string; readonly reason: string | null }) | null;
};

export type ReportingParts = {
  readonly store: Pick<Store, 'events' | 'webhooks'>;
  readonly webhooks: readonly Webhook[];
  readonly policy: Policy;
  /** Called for every fact, in order. An error that one throws is logged and stops no other listener. */
  readonly listeners: readonly ((event: HoldfastEvent) => void)[];
  readonly faults: FaultLog;
  readonly sqlStateOf: SqlStateOf;
};

export function startReporting(parts: ReportingParts): Reporting {
  const { store, webhooks, policy, listeners, faults, sqlStateOf } = parts;
  const warnOf =
    (kind: string) =>
    (message: string, failure: unknown): void =>
      faults.note({
        kind,
        level: 'warn',
        message,
        fields: { sqlState: sqlStateOf(failure), err: describeBug(failure) },
      });
  const log = startEventLog({ append: store.events.append, policy, warn: warnOf('audit log') });
  const everybody = [...listeners, log.record];
  const report: Report = (fact) => {
    const event: HoldfastEvent = Object.assign({ atMs: Date.now() }, fact);
    for (const listener of everybody) {
      try {
        listener(event);
      } catch (err) {
        faults.note({
          kind: 'event listener',
          level: 'error',
          message: 'the event listener threw',
          fields: { type: fact.type, err: describeBug(err) },
        });
      }
    }
  };
  const delivery = startWebhookDelivery({ store: store.webhooks, webhooks, policy, report, warnOf });
  return {
    report,
    reportAnswer: (request, route, answered) => reportAnswer(request, route, answered, { report, faults, sqlStateOf }),
    close: async () => {
      await delivery.close();
      await log.close();
    },
  };
}

function reportAnswer(
  request: HttpRequest,
  route: string,
  { response, failure }: ReportedAnswer,
  { report, faults, sqlStateOf }: Pick<Reporting, 'report'> & Pick<ReportingParts, 'faults' | 'sqlStateOf'>,
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
  if (status === 500) {
    const kind = `${route} ${cause instanceof Error ? cause.name : typeof cause} ${sqlState ?? ''}`.trim();
    const fields = { route, sqlState, err: describeBug(cause) };
    faults.note({ kind, level: 'error', message: 'a request failed unexpectedly', fields });
  }
  if (!(cause instanceof HoldfastServerError) || cause.code !== 'unavailable') return;
  report({ type: 'database.doubted', sqlState });
  faults.note({
    kind: 'database',
    level: 'warn',
    message: 'the database is in doubt: requests are answered 503',
    fields: { route, sqlState, cause: cause.message },
  });
}

/** Describes a bug by class and stack without its message, because a driver may quote the values that it was given. */
function describeBug(cause: unknown): object {
  if (!(cause instanceof Error)) return { type: typeof cause };
  const frames = (cause.stack ?? '').split('\n').filter((line) => line.startsWith('    at '));
  return { type: cause.name, stack: frames.join('\n') };
}
