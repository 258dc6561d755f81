import { createHash, timingSafeEqual } from 'node:crypto';
import type { HttpRequest } from '../../kernel/http-message.ts';
import { json, OAuthError } from '../answers.ts';
import { errorBody, jsonBody, ref } from '../description.ts';
import type { Endpoint } from '../endpoint.ts';

/** Liveness: answers while the process is alive. Restart the process when it does not answer. */
export const HEALTH_ENDPOINT: Endpoint<'document'> = {
  kind: 'document',
  path: '/healthz',
  methods: {
    GET: {
      description: {
        operationId: 'health',
        summary: 'Whether the process is alive',
        responses: { 200: jsonBody('It is', { type: 'object' }) },
      },
      answer: () => json(200, { status: 'ok' }),
    },
  },
};

/** Readiness: 503 while the database does not answer, the keys are stale, or the node is about to stop. */
export const READINESS_ENDPOINT: Endpoint<'document'> = {
  kind: 'document',
  path: '/readyz',
  methods: {
    GET: {
      description: {
        operationId: 'readiness',
        summary: 'Whether to send requests here',
        responses: { 200: jsonBody('Yes', ref('Readiness')), 503: jsonBody('No; `checks` says why', ref('Readiness')) },
      },
      answer: async (_call, { operation }) => {
        const { isReady, checks } = await operation.readiness();
        return json(isReady ? 200 : 503, { status: isReady ? 'ready' : 'not_ready', checks });
      },
    },
  },
};

/** Prometheus metrics. Counts of refusals would help an attacker, so they are not public. */
export const METRICS_ENDPOINT: Endpoint<'document'> = {
  kind: 'document',
  path: '/metrics',
  methods: {
    GET: {
      description: {
        operationId: 'metrics',
        summary: 'Prometheus metrics',
        security: [{ metricsToken: [] }],
        responses: {
          200: { description: 'Text exposition format', content: { 'text/plain': { schema: { type: 'string' } } } },
          403: errorBody('Not from this host, and without the token'),
        },
      },
      answer: async ({ request }, { operation }) => {
        if (!mayReadMetrics(request, operation.metricsToken)) {
          throw new OAuthError(403, 'access_denied', 'Metrics are read with the metrics token, or from this host', {
            reason: 'metrics',
          });
        }
        const { headers } = json(200, {});
        return {
          status: 200,
          headers: { ...headers, 'content-type': operation.metrics.contentType },
          body: await operation.metrics.expose(),
        };
      },
    },
  },
};

const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '::1', '::ffff:127.0.0.1']);
/** A request that a proxy on this host forwards comes from another host. */
const FORWARDING_HEADERS = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via'];

function mayReadMetrics({ headers, remoteAddress }: HttpRequest, token: string | null): boolean {
  if (token !== null) return isEqual(headers['authorization'] ?? '', `Bearer ${token}`);
  return LOOPBACK.has(remoteAddress) && FORWARDING_HEADERS.every((name) => headers[name] === undefined);
}

function isEqual(a: string, b: string): boolean {
  const digest = (value: string): Buffer => createHash('sha256').update(value).digest();
  return timingSafeEqual(digest(a), digest(b));
}
