import { expect, it } from 'vitest';
import { settle } from '../testing/world.ts';
import { createTabChannel } from './signals.ts';

it('news that come from a session which nobody holds any more still reach the other tabs', async () => {
  const heard: string[] = [];
  const other = createTabChannel('tabs');
  const stopOther = other.listen(() => void heard.push('other'));
  const own = createTabChannel('tabs');
  const stopOwn = own.listen(() => void heard.push('own'));
  own.announce();
  await settle();
  stopOwn();
  own.announce();
  await settle();
  stopOther();
  // And no channel is left open, which would keep this process alive, and a page out of the back/forward cache.
  expect(heard).toEqual(['other', 'other']);
});
