import { expect, it } from 'vitest';
import { settle } from '../testing/world.ts';
import { createTabChannel } from './signals.ts';

it('a service that no longer listens can still tell the other tabs that the store changed', async () => {
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
  // No channel stays open: it would keep this process alive, and a page out of the back/forward cache.
  expect(heard).toEqual(['other', 'other']);
});
