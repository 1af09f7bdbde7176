/**
 * What happens to rooms when a ChatServer or a host goes, and when one comes, as users on other hosts notice it.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { until } from "../../tests/support/until.ts";
import type { Cluster } from "./cluster.ts";
import { Series } from "./series.ts";
import type { Talk } from "./talk.ts";

/** Where faults happen. */
export interface Scene {
  readonly cluster: Cluster;
  readonly talk: Talk;
  /** Numbers of the hosts. */
  readonly hosts: readonly number[];
  readonly progress: (text: string) => void;
}

/** Rooms that a host's ChatServer owns, while everybody agrees. */
function roomsOf({ cluster, talk }: Scene, host: number): string[] {
  return talk.rooms.filter((room) => cluster.owner(room) === host);
}

/** Has users on other hosts than the victim's talk in every room, and waits until all of them are heard. */
async function prepare(scene: Scene, victim: number): Promise<string[]> {
  const { cluster, talk, hosts } = scene;
  await cluster.whole();
  talk.speak(hosts.filter((host) => host !== victim));
  const now = performance.now();
  await Promise.all(talk.rooms.map((room) => talk.servedAfter(room, now)));
  talk.forget();
  cluster.told = [];
  const rooms = roomsOf(scene, victim);
  if (rooms.length === 0) throw new Error(`the ChatServer of host ${victim} owns no room: give more --rooms`);
  return rooms;
}

/** Waits until a ChatServer that is back has all of its rooms again, as users have heard who were there all the time. */
async function settle(
  { cluster, talk, hosts }: Scene,
  rooms: readonly string[],
  since: number,
  present: readonly number[] = hosts,
): Promise<number> {
  await cluster.whole();
  const times = await Promise.all(rooms.map((room) => talk.movedAfter(room, since, present)));
  return Math.max(...times);
}

/** Milliseconds from the death of a ChatServer's process: each of its rooms, and the last one of each death. */
export async function crashes(scene: Scene, times: number): Promise<Series[]> {
  const { cluster, talk, hosts, progress } = scene;
  const rooms = new Series("crash: a room served elsewhere");
  const deaths = new Series("crash: all rooms of the process served elsewhere");
  const own = new Series("crash: out of the list on its host");
  const others = new Series("crash: out of the list on all hosts");
  for (let i = 0; i < times; i++) {
    const victim = hosts[i % hosts.length] as number;
    const owned = await prepare(scene, victim);
    const { at, gone } = await cluster.killChat(victim);
    const served = await Promise.all(owned.map((room) => talk.servedAfter(room, gone)));
    for (const time of served) rooms.add(time - at);
    deaths.add(Math.max(...served) - at);
    own.add(cluster.toldGone(victim, victim, at) - at);
    others.add(Math.max(...hosts.map((host) => cluster.toldGone(host, victim, at))) - at);
    progress(`crash ${i + 1} of ${times}: ${deaths.last.toFixed(0)} ms, list ${others.last.toFixed(0)} ms`);
    const since = performance.now();
    await cluster.startChat(victim);
    await settle(scene, owned, since);
  }
  return [rooms, deaths, own, others];
}

/** Waits until the kernel says that a process is stopped. */
async function stopped(pid: number): Promise<void> {
  await until(() => / T /.test(readFileSync(`/proc/${pid}/stat`, "utf8")), `process ${pid} to stop`);
}

/** Milliseconds from the freezing of a ChatServer's process. */
export async function freezes(scene: Scene, times: number): Promise<Series[]> {
  const { cluster, talk, hosts, progress } = scene;
  const rooms = new Series("freeze: a room served elsewhere");
  const all = new Series("freeze: all rooms of the process served elsewhere");
  for (let i = 0; i < times; i++) {
    const victim = hosts[i % hosts.length] as number;
    const owned = await prepare(scene, victim);
    const at = performance.now();
    cluster.chat(victim).signal("SIGSTOP");
    await stopped(cluster.chat(victim).pid);
    const still = performance.now();
    const served = await Promise.all(owned.map((room) => talk.servedAfter(room, still)));
    for (const time of served) rooms.add(time - at);
    all.add(Math.max(...served) - at);
    progress(`freeze ${i + 1} of ${times}: ${all.last.toFixed(0)} ms`);
    const since = performance.now();
    cluster.chat(victim).signal("SIGCONT");
    await settle(scene, owned, since);
  }
  return [rooms, all];
}

/**
 * Milliseconds from the death of a host, which is cut off and everything on it killed, and from the word of an agent that
 * it has failed: less than none where bridges had found its ChatServers silent before.
 */
export async function hostDeaths(scene: Scene, times: number): Promise<Series[]> {
  const { cluster, talk, hosts, progress } = scene;
  const verdicts = new Series("host death: an agent says so");
  const deaths = new Series("host death: a room served elsewhere");
  const own = new Series("host death: a room served elsewhere, after the word of the user's own agent");
  const first = new Series("host death: a room served elsewhere, after the first agent's word");
  for (let i = 0; i < times; i++) {
    const victim = hosts[i % hosts.length] as number;
    const owned = await prepare(scene, victim);
    const survivors = hosts.filter((host) => host !== victim);
    const at = performance.now();
    const asked = survivors.map((host) => cluster.verdict(host, victim));
    await cluster.kill(victim);
    const gone = performance.now();
    const served = await Promise.all(owned.map((room) => talk.servedAfter(room, gone)));
    const said = await Promise.all(asked);
    for (const verdict of said) verdicts.add(verdict - at);
    for (const [j, room] of owned.entries()) {
      const time = served[j] as number;
      deaths.add(time - at);
      own.add(time - (said[survivors.indexOf(talk.talker(room))] as number));
      first.add(time - Math.min(...said));
    }
    progress(
      `host ${i + 1} of ${times}: verdicts after ${said.map((time) => (time - at).toFixed(0)).join(", ")} ms`,
    );
    const since = performance.now();
    await cluster.revive(victim);
    await talk.enter(victim, cluster.users(victim));
    await settle(scene, owned, since, survivors);
  }
  return [verdicts, deaths, own, first];
}

/** Milliseconds until a ChatServer that starts has its rooms, as everybody in them has heard; before, it has left in good order. */
export async function joins(scene: Scene, times: number): Promise<Series[]> {
  const { cluster, talk, hosts, progress } = scene;
  const started = new Series("join: from the start of the process");
  const ready = new Series("join: from its ready line");
  const leaving = new Series("leave: from SIGTERM to the process's end");
  for (let i = 0; i < times; i++) {
    const victim = hosts[i % hosts.length] as number;
    const owned = await prepare(scene, victim);
    const from = performance.now();
    await cluster.chat(victim).stop("SIGTERM");
    leaving.add(performance.now() - from);
    const elsewhere = performance.now();
    await Promise.all(owned.map((room) => talk.servedAfter(room, elsewhere)));
    talk.forget();
    const at = performance.now();
    await cluster.startChat(victim);
    const told = performance.now();
    const moved = await settle(scene, owned, at);
    started.add(moved - at);
    ready.add(moved - told);
    progress(
      `join ${i + 1} of ${times}: ${started.last.toFixed(0)} ms, after ready ${ready.last.toFixed(0)} ms`,
    );
  }
  return [started, ready, leaving];
}
