import { File, Paths } from 'expo-file-system';

const fileOf = (name: string): File => new File(Paths.document, `${name}.json`);

/** The text remembered under a name, or `null`. For text that is no secret and may be lost. */
export function recall(name: string): unknown {
  try {
    const file = fileOf(name);
    return file.exists ? (JSON.parse(file.textSync()) as unknown) : null;
  } catch {
    return null;
  }
}

/** Remembers a value under a name; `null` forgets it. */
export function remember(name: string, value: unknown): void {
  try {
    fileOf(name).write(JSON.stringify(value));
  } catch {
    // The phone is full: then the server is asked next time.
  }
}
