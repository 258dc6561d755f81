import { homedir } from 'node:os';
import path from 'node:path';
import process from 'node:process';

/** Where programs keep what they remember, by the custom of each system. `env`, `platform` and `home` are for tests. */
export function defaultFolder(
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
  home: string = homedir(),
): string {
  if (platform === 'win32') return path.join(env['LOCALAPPDATA'] ?? path.join(home, 'AppData', 'Local'), 'holdfast');
  if (platform === 'darwin') return path.join(home, 'Library', 'Application Support', 'holdfast');
  const state = env['XDG_STATE_HOME'] ?? '';
  // A relative path must be ignored (XDG Base Directory Specification).
  return path.join(path.isAbsolute(state) ? state : path.join(home, '.local', 'state'), 'holdfast');
}
