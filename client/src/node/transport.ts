import { fetchTransport } from '../platform/fetch-transport.ts';

/** Sends one HTTP request with Node's `fetch`, which has neither cookies nor a cache. */
export const nodeTransport = fetchTransport({});
