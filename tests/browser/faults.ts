import type { ServerResponse } from 'node:http';
import type { HttpResponse } from '@holdfast/server';

/** The parts of a request's way: `serve` is the server's own work on it, `response` is the way back. */
export type Fault = (serve: () => Promise<HttpResponse>, response: ServerResponse) => Promise<void> | void;

/** Writes an answer as the server gave it. */
export function writeAnswer(response: ServerResponse, { status, headers, body }: HttpResponse): void {
  const fields = Object.entries(headers).map(([name, value]): [string, string | string[]] => [
    name,
    typeof value === 'string' ? value : [...value],
  ]);
  response.writeHead(status, Object.fromEntries(fields)).end(body);
}

/** The server does its work, and the connection breaks before the answer. */
export const loseAnswer: Fault = async (serve, response) => {
  await serve();
  response.destroy();
};

/** The connection breaks before the server hears of the request. */
export const loseRequest: Fault = (_serve, response) => void response.destroy();

/** The server does its work, and half of its answer arrives: the headers, and a JSON that ends too early. */
export const truncateAnswer: Fault = async (serve, response) => {
  const { status, headers, body } = await serve();
  writeAnswer(response, { status, headers, body: body.slice(0, body.length / 2) });
};

/** A proxy answers; the server never sees the request. */
export const answerInstead =
  (status: number, headers: Readonly<Record<string, string>>, body: string): Fault =>
  (_serve, response) =>
    void response.writeHead(status, headers).end(body);

/** The sign-in page of a hotel's network, in answer to everything. */
export const captivePortal = answerInstead(
  200,
  { 'content-type': 'text/html' },
  '<!doctype html><title>Welcome to our guest network</title><form action="/login">Room number <input></form>',
);

/** The server takes its time. */
export const takeTime =
  (ms: number): Fault =>
  async (serve, response) => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    writeAnswer(response, await serve());
  };

/** A moment that a test waits for, or brings about. */
function moment(): { readonly passed: Promise<void>; readonly pass: () => void } {
  let pass = (): void => {};
  const passed = new Promise<void>((resolve) => (pass = resolve));
  return { passed, pass };
}

/** The server does its work, and its answer waits to be let go. */
export function holdAnswer(): { readonly fault: Fault; readonly arrived: Promise<void>; readonly release: () => void } {
  const [arrival, departure] = [moment(), moment()];
  return {
    fault: async (serve, response) => {
      const answer = await serve();
      arrival.pass();
      await departure.passed;
      writeAnswer(response, answer);
    },
    arrived: arrival.passed,
    release: departure.pass,
  };
}
