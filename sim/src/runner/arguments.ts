/** The options of a command: `--name value`, `--name=value` and `--name` alone. */
export type Arguments = {
  has(name: string): boolean;
  text(name: string): string | null;
  /** @throws TypeError unless the value is a whole number, 0 or more */
  number(name: string, otherwise: number): number;
};

/**
 * Reads the options of a command.
 *
 * @throws TypeError for an option that is not in `known`
 */
export function readArguments(args: readonly string[], known: readonly string[]): Arguments {
  const given = new Map<string, string>();
  for (let at = 0; at < args.length; at++) {
    const [name = '', value] = (args[at] ?? '').split('=', 2);
    if (!known.includes(name)) throw new TypeError(`there is no option ${name}; there are ${known.join(', ')}`);
    const next = args[at + 1];
    if (value !== undefined) given.set(name, value);
    else if (next === undefined || next.startsWith('--')) given.set(name, '');
    else {
      given.set(name, next);
      at++;
    }
  }
  return {
    has: (name) => given.has(name),
    text: (name) => given.get(name) ?? null,
    number: (name, otherwise) => {
      const value = given.get(name);
      if (value === undefined) return otherwise;
      if (!/^\d+$/.test(value)) throw new TypeError(`${name} is a whole number`);
      return Number(value);
    },
  };
}
