import { expect, test } from "bun:test";
import { VirtualClock } from "../../../tests/support/virtual_clock.ts";
import { noLog } from "../../lib/log.ts";
import { Metrics } from "../../lib/metrics.ts";
import type { Member } from "../view.ts";
import type { LiveHost } from "./cluster_book.ts";
import { Examiner } from "./examiner.ts";

const chat: Member = {
  id: "chat-1",
  role: "chat",
  address: "10.0.0.3:7001",
  incarnation: "cccccc",
  state: "alive",
  slot: 0,
};

const proxy: Member = {
  id: "proxy-1",
  role: "proxy",
  address: "10.0.0.3:8080",
  incarnation: "cdcccc",
  state: "alive",
};

function host(...members: readonly Member[]): LiveHost {
  return { name: "c", address: "10.0.0.3", members, seq: 1 };
}

interface Examined {
  readonly it: Examiner;
  readonly judged: string[];
  readonly standing: Set<string>;
  /** Ids of members that give signs of life. */
  readonly living: Set<string>;
}

/** One whose members give no sign of life. */
function examiner(): Examined {
  const judged: string[] = [];
  const standing = new Set<string>();
  const living = new Set<string>();
  const it = new Examiner({
    clock: new VirtualClock(),
    log: noLog,
    metrics: new Metrics(),
    probe: ({ id }) => Promise.resolve(living.has(id) ? "life" : "nothing"),
    mayDrop: () => true,
    onVerdict: (_, { id }, dead) => {
      judged.push(`${id} ${dead}`);
      if (dead) standing.add(id);
      else standing.delete(id);
    },
    isDead: (_, id) => standing.has(id),
    onProof: () => {},
    onStir: () => {},
    onFound: (_, { id }) => judged.push(`${id} found`),
  });
  return { it, judged, standing, living };
}

async function question(it: Examiner, times: number, all = host(chat)): Promise<void> {
  for (let i = 0; i < times; i++) {
    it.question(all);
    await new Promise<void>((resolve) => queueMicrotask(() => queueMicrotask(resolve)));
    it.keep([all]);
  }
}

test("a life is found dead after two questions in a row, once, and forgotten when its host names it no longer", async () => {
  const { it, judged, standing } = examiner();
  await question(it, 1);
  it.keep([host()]);
  await question(it, 1);
  expect([judged, it.hasDead]).toEqual([[], false]);
  await question(it, 3);
  expect([judged, it.hasDead]).toEqual([["chat-1 found", "chat-1 true"], true]);
  it.keep([]);
  expect(it.hasDead).toBe(true);
  standing.clear();
  it.keep([host()]);
  expect(it.hasDead).toBe(false);
});

test("a life that its host names again after its verdict has ended is found dead anew", async () => {
  const { it, judged, standing } = examiner();
  await question(it, 2);
  standing.clear();
  it.keep([host()]);
  await question(it, 2);
  expect(judged).toEqual(["chat-1 found", "chat-1 true", "chat-1 found", "chat-1 true"]);
});

test("a life that was found dead elsewhere needs one question here, before or after that word, and is not told again", async () => {
  for (const before of [0, 1]) {
    const { it, judged } = examiner();
    await question(it, before);
    it.told(host(chat), [chat, { id: "chat-9", incarnation: "cccccc" }]);
    await question(it, 1 - before);
    expect(judged).toEqual(["chat-1 true"]);
    it.told(host(chat), [chat]);
    await question(it, 1);
    expect(judged).toEqual(["chat-1 true"]);
  }
});

test("the word from elsewhere alone is no death, nor is it of another life", async () => {
  const { it, judged } = examiner();
  it.told(host(chat), [{ id: chat.id, incarnation: "dddddd" }]);
  await question(it, 1);
  it.keep([host()]);
  for (let i = 0; i < 5; i++) it.told(host(chat), [chat]);
  expect(judged).toEqual([]);
});

test("the word from elsewhere alone is no death after a verdict that has ended by itself", async () => {
  const { it, judged, standing, living } = examiner();
  await question(it, 2);
  standing.clear();
  it.keep([host(chat)]);
  living.add(chat.id);
  judged.length = 0;
  it.told(host(chat), [chat]);
  expect(judged).toEqual([]);
});

test("the word about a proxy beside a ChatServer that lives ends nobody, and hides no later find", async () => {
  const all = host(chat, proxy);
  const { it, judged, living } = examiner();
  await question(it, 3, all);
  it.announced(all, [chat]);
  judged.length = 0;
  living.add(chat.id);
  it.told(all, [proxy]);
  await question(it, 3, all);
  expect(judged).toEqual([]);
  living.clear();
  await question(it, 6, all);
  expect(judged).toEqual(["chat-1 found", "chat-1 true", "proxy-1 found", "proxy-1 true"]);
});
