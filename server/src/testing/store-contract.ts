import { Bench, type StoreUnderTest } from './store-bench.ts';
import { testFirstUse, testJoining, testSignOut, testWholeChains } from './store-contract-chains.ts';
import { testDeviceList, testMassEndings } from './store-contract-endings.ts';
import { testLimitOfChains, testLimitOfSessions, testReturningDevices } from './store-contract-limits.ts';

/** Tests the contract of the storage port against any store. Call it at the top of a test file. */
export function testStoreContract(open: () => StoreUnderTest): void {
  const bench = (): Bench => new Bench(open().store);
  testJoining(bench);
  testFirstUse(bench);
  testSignOut(bench);
  testWholeChains(bench);
  testLimitOfChains(bench, open);
  testReturningDevices(bench);
  testLimitOfSessions(bench);
  testMassEndings(bench);
  testDeviceList(bench, open);
}
