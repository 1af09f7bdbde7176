/**
 * Users on all hosts of a cluster who talk in all of its rooms without a pause, and remember what became of it.
 *
 * @module
 */
import { type ClientKind, connectClient, type RecordingClient } from "../support/clients.ts";
import { until } from "../support/until.ts";
import type { PartitionCluster } from "./partition_cluster.ts";

/** Someone who talks. */
export interface Talker {
  readonly host: number;
  readonly client: RecordingClient;
  /** Messages sent so far, to all rooms. */
  sent: number;
  /** Codes with which messages were refused: WebSocket's `error`, MQTT 5's reason code. */
  readonly refusals: (number | string | undefined)[];
  /** Messages sent so far of which nothing came back. */
  readonly open: Set<number>;
}

const EVERY_MS = 150;
/** So many times of saying something take 7.5 s. */
const LONG = 50;
const WAIT_MS = 60_000;
/** On each host two users; on every second one of them MQTT 3.1.1. */
const CASTS: readonly (readonly ClientKind[])[] = [["ws", "mqtt5"], ["ws", "mqtt4"]];

/** All of them. */
export class Talk {
  readonly rooms: readonly string[];
  readonly talkers: readonly Talker[];
  readonly #timers: ReturnType<typeof setInterval>[] = [];

  private constructor(rooms: readonly string[], talkers: readonly Talker[]) {
    this.rooms = rooms;
    this.talkers = talkers;
    for (const talker of talkers) this.#timers.push(setInterval(() => this.#say(talker), EVERY_MS));
  }

  /** Connects users to some hosts, lets them join the rooms, and talk. */
  static async begin(
    cluster: PartitionCluster,
    hosts: readonly number[],
    rooms: readonly string[],
  ): Promise<Talk> {
    const talkers = await Promise.all(
      hosts.flatMap((host, index) =>
        (CASTS[index % CASTS.length] ?? []).map(async (kind): Promise<Talker> => {
          const client = await connectClient(cluster.proxy(host), kind, `${kind}-${host}`);
          await Promise.all(rooms.map((room) => client.join(room)));
          return { host, client, sent: 0, refusals: [], open: new Set() };
        })
      ),
    );
    const talk = new Talk(rooms, talkers);
    await talk.heardBy(talkers);
    return talk;
  }

  /** To each room in turn, numbered over all rooms: `ws-1 17`. */
  #say(talker: Talker): void {
    const { client, open, refusals } = talker;
    if (client.end) return;
    for (const room of this.rooms) {
      const number = ++talker.sent;
      open.add(number);
      client.say(room, `${client.name} ${number}`).then(
        () => open.delete(number),
        (error) => open.delete(number) && refusals.push(error.code),
      );
    }
  }

  /** Those on some hosts. */
  on(hosts: readonly number[]): Talker[] {
    return this.talkers.filter(({ host }) => hosts.includes(host));
  }

  /** Waits until all of these have heard of each other, in every room, something that was said from now on. */
  async heardBy(talkers: readonly Talker[], rooms = this.rooms): Promise<void> {
    const marks = new Map(talkers.map(({ client, sent }) => [client.name, sent]));
    const missing = (): string[] =>
      talkers.flatMap(({ client }) => {
        const heard = new Set(
          client.heard.filter(({ body }) => {
            const [name = "", number] = body.split(" ");
            return Number(number) > (marks.get(name) ?? Infinity);
          }).map(({ room, body }) => `${body.split(" ")[0]} in ${room}`),
        );
        return [...marks.keys()].flatMap((name) =>
          rooms.filter((room) => !heard.has(`${name} in ${room}`)).map((room) =>
            `${client.name} ${name} in ${room}`
          )
        );
      });
    await until(
      () => missing().length === 0,
      () => `to be heard: ${missing().slice(0, 12).join("; ")}`,
      WAIT_MS,
    );
  }

  /** Waits until everybody has said more for longer than a bridge or an agent may be gone before it is noticed. */
  async goesOn(): Promise<void> {
    const marks = this.talkers.map(({ sent }) => sent + LONG * this.rooms.length);
    await until(
      () => this.talkers.every(({ sent }, index) => sent >= (marks[index] ?? 0)),
      "the talk to go on",
      WAIT_MS,
    );
  }

  /** Waits until these have been told that these rooms moved, and that something may be lost. */
  async toldOfLoss(talkers: readonly Talker[], rooms: readonly string[]): Promise<void> {
    const told = ({ client }: Talker): boolean =>
      rooms.every((room) => client.moved.some((moved) => moved.room === room && moved.lost));
    await until(
      () => talkers.every(told),
      `${talkers.map(({ client }) => client.name)} to be told of ${rooms}`,
      WAIT_MS,
    );
  }

  /** What nobody may see: somebody's connection ended, or messages of one sender in one room came twice or out of order. */
  problems(): string[] {
    const found: string[] = [];
    for (const { client } of this.talkers) {
      if (client.end) found.push(`${client.name} was disconnected`);
      const last = new Map<string, number>();
      for (const { room, body } of client.heard) {
        const [name = "", number] = body.split(" ");
        const line = `${name} in ${room}`;
        const before = last.get(line) ?? 0;
        if (Number(number) <= before) found.push(`${client.name} heard ${line}: ${number} after ${before}`);
        last.set(line, Number(number));
      }
    }
    return found;
  }

  /** Ends the talk, and the connections. */
  async end(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.all(this.talkers.map(({ client }) => client.close(true)));
  }
}
