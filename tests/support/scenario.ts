/**
 * What happens to a cluster of processes while a crowd talks, and what its users must find afterwards.
 *
 * @module
 */
import { expect, test } from "bun:test";
import { closeClients, type RecordingClient } from "./clients.ts";
import { type ClientPorts, Crowd } from "./crowd.ts";
import { until } from "./until.ts";

/** A cluster of processes. */
export interface WholeCluster {
  /** Where users connect, by proxy. */
  readonly ports: ClientPorts[];
  /** Starts what does not run, and waits until all see all. */
  whole(): Promise<void>;
  /** The end of what each process has logged. */
  logs(): string;
  /** The id of the ChatServer that owns a room. */
  owner(room: string): string;
}

/**
 * Arguments of the ChatServers of a cluster. Whoever of a dead one's users a slow proxy announces later than this misses what
 * others hear meanwhile, and a busy machine may need longer than the default.
 */
export const CHAT_LIMITS: readonly string[] = ["--limits", "announceMs=3000"];

const TEST_MS = 110_000;
/** Messages of each line before and after what happens. */
const BEFORE = 4;
const AFTER = 8;

/** A test that shows the logs of a cluster where it fails. */
export function shown(name: string, logs: () => string, run: () => Promise<void>): void {
  test(name, async () => {
    try {
      await run();
    } catch (error) {
      console.error(logs());
      throw error;
    } finally {
      await closeClients();
    }
  }, TEST_MS);
}

/** A test that begins with every process of the cluster running. */
export function scenario(name: string, cluster: WholeCluster, run: () => Promise<void>): void {
  shown(name, () => cluster.logs(), async () => {
    await cluster.whole();
    await run();
  });
}

/** A crowd on all proxies talks while `happen` happens, and for a while after that. */
export async function underLoad(
  cluster: WholeCluster,
  rooms: readonly string[],
  happen: (crowd: Crowd) => Promise<void>,
): Promise<Crowd> {
  const crowd = await Crowd.gather(cluster.ports, rooms);
  crowd.talk();
  await crowd.progress(BEFORE);
  await happen(crowd);
  await crowd.progress(AFTER);
  await crowd.hush();
  return crowd;
}

/** What the application at a room's owner answers to the question who is there. */
export interface WhoAnswer {
  readonly server: string;
  /** The members by the events that it has seen. */
  readonly seen: string[];
  /** The members as the ChatServer lists them. */
  readonly users: string[];
}

/** Asks a room's owner who is there. */
export async function who(client: RecordingClient, room: string): Promise<WhoAnswer> {
  const before = client.heard.length;
  await client.say(room, "!who");
  const answer = () =>
    client.heard.slice(before).find((heard) => heard.room === room && heard.body.startsWith('{"server"'))
      ?.body;
  return JSON.parse(await until(answer, `who is in ${room}`));
}

/** In each room its owner by the placement serves, and knows exactly the crowd as its members. */
export async function expectServed(cluster: WholeCluster, crowd: Crowd): Promise<void> {
  const [client] = crowd.clients as [RecordingClient];
  for (const room of crowd.rooms) {
    expect({ room, ...await who(client, room) })
      .toEqual({ room, server: cluster.owner(room), seen: crowd.names, users: crowd.names });
  }
}
