import { say } from './seeds.ts';

export function exploreWorlds(): number {
  say('nothing yet');
  return 0;
}
