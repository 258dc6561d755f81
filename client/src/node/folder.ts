import { homedir } from 'node:os';
import path from 'node:path';
import process from 'node:process';

/** Returns the folder for the state of programs, by the convention of each system. Tests pass the parameters. */
export function defaultFolder(
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
  home: string = homedir(),
): string {
  if (platform === 'win32') return path.join(env['LOCALAPPDATA'] ?? path.join(home, 'AppData', 'Local'), 'holdfast');
  if (platform === 'darwin') return path.join(home, 'Library', 'Application Support', 'holdfast');
  const state = env['XDG_STATE_HOME'] ?? '';
  // Ignore a relative path, as the XDG Base Directory Specification requires.
  return path.join(path.isAbsolute(state) ? state : path.join(home, '.local', 'state'), 'holdfast');
}
