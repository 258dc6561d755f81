/** Wraps `warn` so that it gives each message once: the client retries a failing store many times. */
export function warnOnce(warn: (message: string) => void): (message: string) => void {
  const given = new Set<string>();
  return (message) => {
    if (given.has(message)) return;
    given.add(message);
    warn(message);
  };
}
