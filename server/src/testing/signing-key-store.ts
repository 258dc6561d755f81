import type { SigningKeyStore, StoredSigningKey } from '../storage/store.ts';

/** A {@link SigningKeyStore} in memory. Tests set its clock, and it counts its reads. */
export type TestSigningKeyStore = {
  keys: readonly StoredSigningKey[];
  nowMs: number;
  lists: number;
} & SigningKeyStore;

export function signingKeyStore(): TestSigningKeyStore {
  return {
    keys: [],
    nowMs: 1_800_000_000_000,
    lists: 0,
    async list() {
      this.lists++;
      return { keys: this.keys, nowMs: this.nowMs };
    },
    async change(plan) {
      const { add, remove } = plan({ keys: this.keys, nowMs: this.nowMs });
      const kept = this.keys.filter(({ kid }) => !remove.includes(kid));
      this.keys = [...kept, ...add].toSorted((a, b) => a.signsFromMs - b.signsFromMs);
      return { keys: this.keys, nowMs: this.nowMs };
    },
    async updateEncryption(changed) {
      this.keys = this.keys.map((key) => (key.kid === changed.kid ? changed : key));
    },
  };
}
