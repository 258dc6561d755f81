/** `warn`, which gives each message once: a store that refuses is tried again and again. */
export function warnOnce(warn: (message: string) => void): (message: string) => void {
  const given = new Set<string>();
  return (message) => {
    if (given.has(message)) return;
    given.add(message);
    warn(message);
  };
}
