import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Outbox, PendingRevocation } from '../core/ports.ts';

/** The contract of every outbox. `create` makes an empty one; `open` opens it as a later start of the program would. */
export function outboxContract(
  name: string,
  create: () => Promise<{ readonly open: () => Outbox; readonly close: () => Promise<void> }>,
): void {
  const [first, second]: readonly [PendingRevocation, PendingRevocation] = [
    { sid: 'one', refreshToken: 'token-one' },
    { sid: null, refreshToken: 'token-two' },
  ];
  describe(`${name} keeps a revocation until the server has received it`, () => {
    let open: () => Outbox;
    let close = (): Promise<void> => Promise.resolve();
    beforeEach(async () => {
      ({ open, close } = await create());
    });
    afterEach(() => close());

    it('is empty at first', async () => {
      expect(await open().list()).toEqual([]);
    });

    it('keeps each revocation once, in the order of arrival', async () => {
      await open().add(first);
      await open().add(second);
      await open().add(second);
      expect(await open().list()).toEqual([first, second]);
    });

    it('keeps `everywhere` once it was set for a session', async () => {
      const everywhere = { ...first, everywhere: true } as const;
      await open().add(everywhere);
      expect(await open().list()).toEqual([everywhere]);
      await open().add(first);
      expect(await open().list()).toEqual([everywhere]);
      await open().add(second);
      await open().add({ ...second, everywhere: true });
      expect(await open().list()).toEqual([everywhere, { ...second, everywhere: true }]);
      await open().remove(first);
      await open().remove({ ...second, everywhere: true });
      expect(await open().list()).toEqual([]);
    });

    it('removes only delivered revocations', async () => {
      await open().add(first);
      await open().add(second);
      await open().remove(first);
      await open().remove(first);
      expect(await open().list()).toEqual([second]);
    });

    it('loses none of many revocations added at once', async () => {
      const many = Array.from({ length: 10 }, (_, at): PendingRevocation => ({ sid: `${at}`, refreshToken: null }));
      await Promise.all(many.map((each) => open().add(each)));
      const listed = await open().list();
      expect(listed.toSorted((a, b) => Number(a.sid) - Number(b.sid))).toEqual(many);
    });
  });
}
