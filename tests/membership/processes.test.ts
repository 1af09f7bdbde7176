import { afterEach, expect, test } from "bun:test";
import { fileURLToPath } from "node:url";
import { Processes, type Ready, type Running } from "../support/processes.ts";
import { type Runtime, runtime, runtimes } from "../support/runtimes.ts";
import { loopbackAddress } from "../support/serf_agents.ts";
import { until } from "../support/until.ts";

const processes = new Processes();
afterEach(() => processes.end());

const script = (name: string): string => fileURLToPath(new URL(`./${name}.ts`, import.meta.url));
/** Longer than a lease, and than a member takes for a sleep of its own. */
const ASLEEP_MS = 3000;
type BridgeReady = { url: string; address: string };
type Member = Ready<{ slot: number }>;

/** On an address that nobody else takes before the next bridge listens there. */
function startBridge(on: Runtime, host = loopbackAddress()): Promise<Ready<BridgeReady>> {
  return processes.start<BridgeReady>([...on.command, script("bridge"), host]);
}

function startMember(on: Runtime, url: string, id: string): Promise<Member> {
  return processes.start([...on.command, script("member"), url, id]);
}

/** The values of one kind of event, oldest first. */
function said(running: Running, event: string): unknown[] {
  return running.lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line))
    .filter((line) => line.event === event).map((line) => line.value);
}

function sees(running: Running, ids: string): Promise<true> {
  const find = (): true | undefined => said(running, "view").at(-1) === ids ? true : undefined;
  return running.until(find, `see the members ${ids}`);
}

const says = (running: Running, event: string, before = 0): Promise<unknown> =>
  running.until(() => said(running, event)[before], `say "${event}"`);

/** Three members, each on a runtime of its own where there are three. */
async function three(url: string): Promise<[Member, Member, Member]> {
  const all = runtimes();
  const start = (id: string, i: number) => startMember(all[i % all.length] as Runtime, url, id);
  const members = await Promise.all([start("a", 0), start("b", 1), start("c", 2)]);
  await Promise.all(members.map((member) => sees(member, "a,b,c")));
  return members;
}

test.each(runtimes().map(({ name }) => name))(
  "with the bridge on %s: the killed and the frozen are withdrawn, the woken come back, a new bridge changes nothing",
  async (name: Runtime["name"]) => {
    const bridge = await startBridge(runtime(name));
    const [a, b, c] = await three(bridge.ready.url);

    const wakes = said(b, "woke").length;
    const asleep = performance.now();
    b.signal("SIGSTOP");
    await Promise.all([sees(a, "a,c"), sees(c, "a,c")]);
    // On a busy machine its last renewal may be old when it falls asleep.
    await until(() => performance.now() - asleep >= ASLEEP_MS, "it has slept long enough");
    b.signal("SIGCONT");
    expect(await says(b, "woke", wakes)).toBe(false);
    await says(b, "rejoined");
    await Promise.all([a, b, c].map((member) => sees(member, "a,b,c")));

    await c.kill();
    await Promise.all([sees(a, "a,b"), sees(b, "a,b")]);
    const withdrawn = await bridge.until(
      ({ stderr }) => /member_withdrawn (\{"id":"c".*\})/.exec(stderr)?.[1],
      "say why it has withdrawn c",
    );
    // By the end of its connection, before it was silent for as long as one that is frozen.
    expect(JSON.parse(withdrawn)).toMatchObject({ id: "c", reason: "closed" });

    const [views, held, rejoined] = ["view", "held", "rejoined"].map((event) => said(a, event).length);
    await bridge.kill();
    const next = await startBridge(runtime(name), bridge.ready.address.split(":")[0]);
    await next.until(
      ({ stderr }) => stderr.match(/member_registered.*[^]*member_registered/)?.[0],
      "have both back",
    );
    const late = await startMember(runtime(name), bridge.ready.url, "d");
    await sees(a, "a,b,d");
    // The only view since the death of the bridge is the one with the new member.
    const counts = ["view", "held", "rejoined"].map((event) => said(a, event).length);
    expect(counts).toEqual([(views ?? 0) + 1, held, rejoined] as number[]);
    // The slot of the one that was killed.
    expect(late.ready.slot).toBe(c.ready.slot);
    for (const running of [a, b, late, next]) expect(await running.stop()).toEqual({ code: 0, signal: null });
  },
  60_000,
);
