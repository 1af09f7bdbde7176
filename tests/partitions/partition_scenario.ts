/**
 * What happens to the users of a cluster when its network is cut and healed.
 *
 * @module
 */
import { expect } from "bun:test";
import type { AppEvent, PartitionCluster } from "./partition_cluster.ts";
import { Talk } from "./partition_talk.ts";
import { until } from "../support/until.ts";

/** A cut, and who is where. */
export interface Cut {
  /** The hosts that are cut off from the others: with `seal` those that stop. */
  readonly some: readonly number[];
  readonly others: readonly number[];
  /** Cuts the network. */
  readonly cut: () => Promise<void>;
}

/** Times in milliseconds, for whoever wants to know them. */
export type Figures = Record<string, number>;

const SERF_MS = 60_000;

/** Cuts some hosts off from the others, both ways or one way as they see it. */
export function cutOff(
  cluster: PartitionCluster,
  some: readonly number[],
  way: "in" | "out" | "both" = "both",
): Cut {
  const others = cluster.running.filter((host) => !some.includes(host));
  return { some, others, cut: () => cluster.hosts.network.part(some, others, way) };
}

function tell(name: string, figures: Figures): void {
  if (process.env["TOYCHAT_FIGURES"]) console.log(`${name}: ${JSON.stringify(figures)}`);
}

/** One room of each ChatServer, and a talk in them of users on all hosts. */
async function begin(cluster: PartitionCluster, prefix: string): Promise<Talk> {
  return await Talk.begin(cluster, cluster.running, cluster.rooms(prefix, 1));
}

/** With `serve`: each side goes on by itself, and after healing all are one again. */
export async function expectServed(
  cluster: PartitionCluster,
  prefix: string,
  { some, others, cut }: Cut,
): Promise<void> {
  const talk = await begin(cluster, prefix);
  const ownedBy = (hosts: readonly number[]): string[] =>
    talk.rooms.filter((room) => hosts.some((host) => cluster.owner(1, room) === `c${host}`));
  const moves = [[some, ownedBy(others)], [others, ownedBy(some)]] as const;
  const cutAt = Date.now();
  await cut();
  await Promise.all([some, others].map((side) => cluster.agree(cluster.ids(side), side)));
  for (const [side, rooms] of moves) await talk.toldOfLoss(talk.on(side), rooms);
  await Promise.all([some, others].map((side) => talk.heardBy(talk.on(side))));
  const opened = await Promise.all(
    moves.flatMap(([side, rooms]) => rooms.map((room) => firstOf(cluster, room, side, cutAt))),
  );
  const figures: Figures = { openedFrom: Math.min(...opened) - cutAt, openedTo: Math.max(...opened) - cutAt };
  const healAt = Date.now();
  await expectHealed(cluster, talk, figures);
  for (const room of talk.rooms) {
    const told = (): string[] =>
      cluster.events(room).filter(({ at, event }) => event === "merge" && at >= healAt)
        .map(({ server }) => server);
    await until(() => told().length > 0, `${room} to be told of what the other side had`);
    expect([room, told()]).toEqual([room, [cluster.owner(1, room)]]);
  }
  tell(prefix, figures);
}

/** When a room was first opened on one of some hosts after a time. */
async function firstOf(
  cluster: PartitionCluster,
  room: string,
  hosts: readonly number[],
  since: number,
): Promise<number> {
  const find = (): AppEvent | undefined =>
    cluster.events(room).find(({ at, event, server }) =>
      event === "open" && at >= since && hosts.some((host) => server === `c${host}`)
    );
  return (await until(find, `${room} to be opened on ${hosts}`)).at;
}

/** Heals the network: one owner for each room everywhere, and everybody hears everybody. */
async function expectHealed(cluster: PartitionCluster, talk: Talk, figures: Figures): Promise<void> {
  const healAt = Date.now();
  await cluster.hosts.heal();
  await cluster.agree();
  const agreedAt = Date.now();
  for (const room of talk.rooms) {
    const owner = cluster.owner(1, room);
    await until(
      () => cluster.openAt(room).join() === owner,
      () => `${room} to be open at ${owner} alone, not at ${cluster.openAt(room)}`,
    );
  }
  const moves = (): AppEvent[] =>
    talk.rooms.flatMap((room) => cluster.events(room))
      .filter(({ event }) => event === "open" || event === "close");
  const before = moves();
  await talk.heardBy(talk.talkers);
  // That was the last of it: no room goes to and fro.
  expect(moves()).toEqual(before);
  const last = Math.max(...before.map(({ at }) => at));
  expect(talk.problems()).toEqual([]);
  await talk.end();
  Object.assign(figures, { agreed: agreedAt - healAt, oneOwner: last - healAt });
}

/** With `seal`: the side named stops, before the other one takes its rooms over; after healing all are one again. */
export async function expectSealed(
  cluster: PartitionCluster,
  prefix: string,
  { some, others, cut }: Cut,
): Promise<void> {
  const talk = await begin(cluster, prefix);
  const lost = talk.rooms.filter((room) => some.some((host) => cluster.owner(1, room) === `c${host}`));
  const cutAt = Date.now();
  await cut();
  await until(
    () => some.every((host) => !serves(cluster, host, some)),
    "those who are cut off to have sealed",
    SERF_MS,
  );
  const sealedAt = Date.now();
  await until(
    () => cluster.alike(others) && others.every((host) => !serves(cluster, host, some)),
    () => `hosts ${others} to have given up ${some}: ${others.map((host) => cluster.list(host)).join("; ")}`,
    SERF_MS,
  );
  await talk.toldOfLoss(talk.on(others), lost);
  await talk.heardBy(talk.on(others));
  await expectRefused(talk, some);
  const taken = await Promise.all(lost.map((room) => firstOf(cluster, room, others, cutAt)));
  const stopped = lost.flatMap((room) =>
    cluster.spans(room).filter(({ server }) => some.some((host) => server === `c${host}`)).map(({ to }) => to)
  );
  const figures: Figures = {
    lastAccepted: Math.max(...stopped) - cutAt,
    sealed: sealedAt - cutAt,
    takenFrom: Math.min(...taken) - cutAt,
    takenTo: Math.max(...taken) - cutAt,
  };
  expect(Math.min(...taken)).toBeGreaterThan(Math.max(...stopped));
  await expectHealed(cluster, talk, figures);
  for (const room of talk.rooms) expect(overlaps(cluster, room)).toEqual([]);
  tell(prefix, figures);
}

/** Whether a host lists a ChatServer of some hosts. */
function serves(cluster: PartitionCluster, by: number, some: readonly number[]): boolean {
  return cluster.view(by).members.some(({ id }) => some.some((host) => id === `c${host}`));
}

/** Users of a side that has sealed are told in their protocol's words, and stay connected. */
async function expectRefused(talk: Talk, hosts: readonly number[]): Promise<void> {
  for (const talker of talk.on(hosts)) {
    const { client: { kind, name }, refusals, open } = talker;
    if (kind === "mqtt4") {
      // MQTT 3.1.1 has no word for it: there is no acknowledgement.
      expect(refusals).toEqual([]);
      const waits = (): boolean => [...open].some((number) => number < talker.sent - 20);
      await until(waits, `something that ${name} said to wait for its acknowledgement`);
      continue;
    }
    await until(() => refusals.length > 0, `${name} to be refused`);
    const told = refusals.every((code) => (kind === "ws" ? code === "unavailable" : Number(code) >= 0x80));
    expect([name, refusals, told]).toEqual([name, refusals, true]);
  }
}

/** Times at which two ChatServers took messages of one room. */
function overlaps(cluster: PartitionCluster, room: string): string[] {
  const spans = cluster.spans(room);
  return spans.flatMap((span, index) =>
    spans.slice(0, index).filter(({ server, to }) => server !== span.server && to > span.from)
      .map((other) => `${room}: ${JSON.stringify([other, span])}`)
  );
}

/**
 * With `seal` members stop 3.5 s after their bridge has answered them last: what a restart may take of that, as a renewal
 * lies before it and a registration behind it.
 */
const AWAY_MS = 2200;
/** A machine that was too busy for that tries again, at most so often. */
const TRIES = 4;

/** Something is killed and started again that moves no room, as far as users and the application can tell. */
export async function expectUntouched(
  cluster: PartitionCluster,
  prefix: string,
  restart: (talk: Talk) => Promise<unknown>,
  tried = 1,
): Promise<void> {
  const talk = await begin(cluster, `${prefix}-${tried}`);
  const [digest, since, from] = [cluster.view(1).digest, Date.now(), performance.now()];
  await restart(talk);
  const awayMs = performance.now() - from;
  await cluster.hosts.whole();
  await talk.goesOn();
  await cluster.agree();
  await talk.heardBy(talk.talkers);
  if (awayMs > AWAY_MS && tried < TRIES) {
    await talk.end();
    return await expectUntouched(cluster, prefix, restart, tried + 1);
  }
  expect(cluster.view(1).digest).toBe(digest);
  const moves = talk.rooms.flatMap((room) => cluster.events(room))
    .filter(({ at, event }) => event !== "message" && at >= since);
  expect([moves, talk.talkers.flatMap(({ client, refusals }) => [...client.moved, ...refusals])]).toEqual([
    [],
    [],
  ]);
  expect(talk.problems()).toEqual([]);
  await talk.end();
}

/** Each host in turn is taken down in good order and brought up again; users of the first host talk meanwhile. */
export async function expectRolled(cluster: PartitionCluster, prefix: string): Promise<void> {
  const hosts = cluster.running;
  const talk = await Talk.begin(cluster, hosts.slice(0, 1), cluster.rooms(prefix, 1));
  for (const host of hosts) {
    await cluster.role(host, "chat").stop();
    if (host !== hosts[0]) await cluster.role(host, "proxy").stop();
    await cluster.role(host, "bridge").stop();
    await cluster.hosts.agent(host).restart();
    await cluster.startBridge(host);
    await Promise.all([cluster.startChat(host), host === hosts[0] ? undefined : cluster.startProxy(host)]);
    await cluster.agree();
    await talk.heardBy(talk.talkers);
  }
  // Planned moves alone: nothing was lost.
  for (const { client, refusals } of talk.talkers) {
    expect(client.moved.filter(({ lost }) => lost)).toEqual([]);
    expect(refusals).toEqual([]);
  }
  expect(talk.problems()).toEqual([]);
  await talk.end();
}

/** A host that is cut off is started again, agent and all: it lets nobody in before it has met the others. */
export async function expectRefusedAlone(cluster: PartitionCluster, host: number): Promise<void> {
  const others = cluster.running.filter((other) => other !== host);
  await cluster.hosts.cut(host);
  await cluster.hosts.die(host);
  await cluster.hosts.agent(host).restart();
  await cluster.startBridge(host);
  const started = await cluster.startChat(host).then(() => "ready", () => "refused");
  expect([started, cluster.role(host, "bridge").stderr.includes("unsealed")]).toEqual(["refused", false]);
  await cluster.agree(cluster.ids(others), others);
  await cluster.hosts.heal();
  // A ChatServer tries for 10 s, which is little on a busy machine: whoever runs it starts it again.
  const chat = until(
    () => cluster.startChat(host).then(() => true, () => false),
    `the ChatServer of host ${host} to be let in`,
    SERF_MS,
  );
  await Promise.all([chat, cluster.startProxy(host)]);
  await cluster.agree();
}
