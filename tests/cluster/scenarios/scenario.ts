/**
 * What the scenarios share.
 *
 * @module
 */
import { expect, test } from "bun:test";
import { Crowd } from "../../support/crowd.ts";
import { closeClients, type RecordingClient } from "../../support/clients.ts";
import { until } from "../../support/until.ts";
import type { Cluster } from "../cluster.ts";

const TEST_MS = 80_000;

/** A test that begins with every process of the cluster running, and shows their logs where it fails. */
export function scenario(name: string, cluster: Cluster, run: () => Promise<void>): void {
  test(name, async () => {
    try {
      await cluster.whole();
      await run();
    } catch (error) {
      console.error(cluster.logs());
      throw error;
    } finally {
      await closeClients();
    }
  }, TEST_MS);
}

/** Messages of each line before and after what happens. */
const BEFORE = 4;
const AFTER = 8;

/** A crowd on both proxies talks while `happen` happens, and for a while after that. */
export async function underLoad(
  cluster: Cluster,
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
export async function expectServed(cluster: Cluster, crowd: Crowd): Promise<void> {
  const [client] = crowd.clients as [RecordingClient];
  for (const room of crowd.rooms) {
    expect({ room, ...await who(client, room) })
      .toEqual({ room, server: cluster.owner(room), seen: crowd.names, users: crowd.names });
  }
}
