import { DEFAULT_POLICY } from '../../../server/src/kernel/policy.ts';
import {
  feed,
  isAwaited,
  openTab,
  sameCopy,
  serve,
  storedCopy,
  toAnswer,
  type Copy,
  type Message,
  type SmallWorld,
} from './small-world.ts';

/** One possible next step. */
export type Step = { readonly label: string; readonly world: SmallWorld };

const show = (copy: Copy | null): string => (copy ? `(${copy.generation},${copy.nonce})` : '');

/** Lists every possible next step of a world. */
export function stepsOf(world: SmallWorld): readonly Step[] {
  if (world.row.revokedReason !== null) return [];
  return [
    ...tabSteps(world),
    ...messageSteps(world),
    ...timeSteps(world),
    ...databaseSteps(world),
    ...thiefSteps(world),
  ].map(({ label, world: next }) => ({ label, world: judge(next) }));
}

/** Spends one of the faults that the world has left. */
const spoil = (world: SmallWorld, label: string, change: (world: SmallWorld) => SmallWorld): readonly Step[] =>
  world.faults === 0 ? [] : [{ label: `${label}  [fault]`, world: change({ ...world, faults: world.faults - 1 }) }];

function tabSteps(world: SmallWorld): readonly Step[] {
  return world.tabs.flatMap((tab, index): readonly Step[] => {
    const [write, ...writes] = tab.writes;
    const isIdle = tab.state.flight === null && tab.state.phase.kind === 'active' && tab.state.storing === null;
    const steps: Step[] = [];
    if (isIdle && world.sends > 0) {
      const asked = feed(world, index, { type: 'extendRequested' });
      if (asked.messages.length > world.messages.length) {
        const [message] = asked.messages.slice(-1);
        steps.push({ label: `tab ${index} sends ${show(message?.copy ?? null)}`, world: asked });
      }
    }
    if (write) {
      const without = { ...world, tabs: world.tabs.with(index, { ...tab, writes }) };
      steps.push({ label: `tab ${index} stores`, world: store(without, index, write) });
      steps.push(
        ...spoil(without, `tab ${index} cannot store`, (next) =>
          feed(next, index, { type: 'vaultUnavailable', operation: write.operation, random: 0 }),
        ),
      );
    }
    if (tab.state.flight && world.record && world.record.version !== tab.state.version) {
      const told = feed(world, index, { type: 'signalled', signal: 'store-changed' });
      steps.push({ label: `tab ${index} hears that the store changed`, world: told });
    }
    if (tab.state.flight)
      steps.push(...spoil(world, `tab ${index} is killed and opened again`, (next) => openTab(next, index)));
    return steps;
  });
}

/** Writes to the store by compare-and-swap. Requests with another copy than the stored one become old. */
function store(world: SmallWorld, tab: number, write: SmallWorld['tabs'][number]['writes'][number]): SmallWorld {
  const version = world.record?.version ?? 0;
  const { operation, next } = write;
  if (write.version !== null && write.version !== version)
    return feed(world, tab, { type: 'vaultWritten', operation, isSwapped: false, record: world.record });
  const record = { version: version + 1, session: next.session, endedReason: next.endedReason };
  const stored = outdate({ ...world, record });
  return feed(stored, tab, { type: 'vaultWritten', operation, isSwapped: true, record });
}

function outdate(world: SmallWorld): SmallWorld {
  const kept = storedCopy(world);
  const isOutdated = (message: Message): boolean =>
    message.kind === 'ask' && kept !== null && !sameCopy(message.copy, kept);
  return { ...world, messages: world.messages.map((each) => (isOutdated(each) ? { ...each, isOld: true } : each)) };
}

function messageSteps(world: SmallWorld): readonly Step[] {
  return world.messages.flatMap((message, index) => {
    const without = { ...world, messages: world.messages.toSpliced(index, 1) };
    return message.kind === 'ask' ? askSteps(world, without, message) : answerSteps(without, message);
  });
}

function askSteps(world: SmallWorld, without: SmallWorld, ask: Extract<Message, { kind: 'ask' }>): readonly Step[] {
  const { tab, attempt, copy } = ask;
  const take = (from: SmallWorld): SmallWorld => {
    const [next, answer] = serve(from, copy, 'O');
    return { ...next, messages: [...next.messages, { ...answer, tab, attempt }] };
  };
  const what = `${show(copy)} of tab ${tab}`;
  return [
    { label: `the server takes ${what}`, world: take(without) },
    ...spoil(world, `the server takes ${what}, a duplicate stays under way`, take),
    ...spoil(without, `the request ${what} is lost`, (next) => lose(next, tab, attempt)),
  ];
}

/** Breaks the connection of a tab, if it still waits. */
function lose(world: SmallWorld, tab: number, attempt: number): SmallWorld {
  const own = world.tabs[tab];
  if (!own || !isAwaited(own, attempt)) return world;
  return feed(world, tab, { type: 'refreshFailed', attempt, random: 0 });
}

function answerSteps(without: SmallWorld, answer: Extract<Message, { kind: 'answer' }>): readonly Step[] {
  const { tab, attempt, says, copy } = answer;
  const own = without.tabs[tab];
  const isWaiting = own !== undefined && isAwaited(own, attempt);
  const keepCookie = (world: SmallWorld): SmallWorld =>
    world.store === 'cookie' && copy !== null ? outdate({ ...world, cookie: copy }) : world;
  const what = `the answer ${says}${show(copy)}`;
  if (!isWaiting) return [{ label: `${what} reaches tab ${tab}, which is gone`, world: without }];
  const heard = (world: SmallWorld): SmallWorld =>
    feed(keepCookie(world), tab, {
      type: 'refreshAnswered',
      attempt,
      answer: toAnswer(answer, world.store),
      random: 0,
    });
  const halfHeard =
    without.store === 'cookie' && copy !== null
      ? spoil(without, `the browser keeps the cookie of ${what}, the script of tab ${tab} dies`, (next) =>
          openTab(keepCookie(next), tab),
        )
      : [];
  return [
    { label: `${what} reaches tab ${tab}`, world: heard(without) },
    ...spoil(without, `${what} to tab ${tab} is lost`, (next) => lose(next, tab, attempt)),
    ...halfHeard,
  ];
}

const MINUTE_MS = DEFAULT_POLICY.rotationIntervalMs + 1_000;

/** Lets a minute pass: old messages die, and all others become old. */
function timeSteps(world: SmallWorld): readonly Step[] {
  const isRecent = world.nowMs - world.row.deliveredAtMs < DEFAULT_POLICY.rotationIntervalMs;
  const isSomebodyWaiting = world.tabs.some(({ state }) => state.flight !== null || state.backoff !== null);
  if (!isRecent && !isSomebodyWaiting) return [];
  // A store needs less than a minute. A slower store is a fault, and no tab waits for two such writes.
  const slow = world.tabs.map(({ writes }) => writes.length);
  if (Math.max(...slow) > 1) return [];
  if (Math.max(...slow) > 0) return spoil(world, 'a minute passes before a tab has stored', passMinute);
  return [{ label: 'a minute passes', world: passMinute(world) }];
}

function passMinute(world: SmallWorld): SmallWorld {
  const messages = world.messages.filter(({ isOld }) => !isOld).map((message) => ({ ...message, isOld: true }));
  const later: SmallWorld = { ...world, nowMs: world.nowMs + MINUTE_MS, messages };
  return world.tabs.reduce((next, _, index) => feed(next, index, { type: 'woke' }), later);
}

function databaseSteps(world: SmallWorld): readonly Step[] {
  const { rowOnDisk } = world;
  if (rowOnDisk === null) return [];
  return [
    { label: 'the database reaches the disk', world: { ...world, rowOnDisk: null } },
    ...spoil(world, `the database falls back to generation ${rowOnDisk.generation}`, (next) => ({
      ...next,
      row: rowOnDisk,
      rowOnDisk: null,
      fallbacks: next.fallbacks + 1,
    })),
  ];
}

const COPIES_KEPT = 3;

function thiefSteps(world: SmallWorld): readonly Step[] {
  const { loot, thiefUses } = world;
  if (thiefUses === 0) return [];
  if (loot === null) {
    const copy = storedCopy(world);
    return copy === null ? [] : [{ label: 'the thief copies the store', world: { ...world, loot: [copy] } }];
  }
  return loot.map((copy) => {
    const [next, answer] = serve({ ...world, thiefUses: thiefUses - 1 }, copy, 'T');
    const isNew = answer.copy !== null && !loot.some((other) => answer.copy !== null && sameCopy(other, answer.copy));
    const kept = isNew && answer.copy !== null ? [...loot, answer.copy].slice(-COPIES_KEPT) : loot;
    return { label: `the thief uses ${show(copy)}`, world: { ...next, loot: kept } };
  });
}

/** Longest sequence of turns after a theft. Each fallback of the database allows two more. */
const TURNS = 3;

function judge(world: SmallWorld): SmallWorld {
  if (world.loot === null && world.row.revokedReason === 'reuse')
    return { ...world, broken: 'an honest session was ended' };
  const lost = world.tabs.findIndex(({ state }) => state.phase.kind !== 'active' && state.phase.kind !== 'restoring');
  if (lost >= 0 && world.row.revokedReason === null)
    return { ...world, broken: `tab ${lost} lost a session that lives` };
  if (world.turns.length > TURNS + 2 * world.fallbacks)
    return { ...world, broken: `owner and thief rotate in turn: ${world.turns}` };
  return world;
}
