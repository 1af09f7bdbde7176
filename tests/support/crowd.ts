/**
 * A crowd in a few rooms, of every protocol and on every proxy, that talks without a pause in numbered messages.
 *
 * @module
 */
import { type ClientKind, connectClient, type RecordingClient } from "./clients.ts";
import {
  deliveryProblems,
  type Keeps,
  lineKey,
  numbered,
  orderProblems,
  readNumbered,
  type Sent,
} from "./deliveries.ts";
import { until } from "./until.ts";

/** Someone in a crowd. */
interface Talker {
  readonly client: RecordingClient;
  /** Whether it asks for acknowledgements. */
  readonly acknowledged: boolean;
  /** Acknowledgements that it waits for. */
  pending: number;
  /** Messages sent so far, to all rooms. */
  count: number;
  /** Highest number heard, by line. */
  readonly highest: Map<string, number>;
}

/** Where users connect. */
export interface ClientPorts {
  readonly mqtt: number;
  readonly http: number;
}

/** Who is on a proxy; a crowd on two has six clients: every protocol, with and without acknowledgements. */
const CASTS: readonly (readonly [kind: ClientKind, acknowledged: boolean])[][] = [
  [["mqtt5", true], ["mqtt4", false], ["ws", true]],
  [["mqtt4", true], ["mqtt5", false], ["ws", false]],
];
/** Milliseconds between two messages of one client. */
const EVERY_MS = 12;
/** Longest wait for what is on its way: a busy machine has much to deliver. */
const WAIT_MS = 60_000;
/** A client with so many unanswered messages says no more. */
const MOST_PENDING = 64;

/** Clients that all are in the same rooms, hear everything and say something to each room in turn. */
export class Crowd {
  readonly rooms: readonly string[];
  readonly #talkers: Talker[] = [];
  readonly #sent: Map<string, Sent[]> = new Map();
  readonly #failures: string[] = [];
  readonly #timers: Set<ReturnType<typeof setInterval>> = new Set();

  private constructor(rooms: readonly string[]) {
    this.rooms = rooms;
  }

  /** Connects three clients to each proxy and lets them join all rooms. Their names end in `tag`. */
  static async gather(proxies: readonly ClientPorts[], rooms: readonly string[], tag = ""): Promise<Crowd> {
    const crowd = new Crowd(rooms);
    await Promise.all(
      proxies.flatMap((ports, index) =>
        (CASTS[index % CASTS.length] ?? []).map(async ([kind, acknowledged]) => {
          const name = `${kind}-${acknowledged ? "sure" : "fast"}-p${index + 1}${tag}`;
          const client = await connectClient(ports, kind, name, { qos: acknowledged ? 1 : 0 });
          await Promise.all(rooms.map((room) => client.join(room)));
          crowd.#add(client, acknowledged);
        })
      ),
    );
    return crowd;
  }

  #add(client: RecordingClient, acknowledged: boolean): void {
    const highest = new Map<string, number>();
    this.#talkers.push({ client, acknowledged, pending: 0, count: 0, highest });
    client.onHeard = ({ room, body }) => {
      const read = readNumbered(body);
      if (!read) return;
      const key = lineKey(read.sender, room);
      if (read.number > (highest.get(key) ?? 0)) highest.set(key, read.number);
    };
  }

  /** The clients. */
  get clients(): RecordingClient[] {
    return this.#talkers.map(({ client }) => client);
  }

  /** Their names, sorted. */
  get names(): string[] {
    return this.clients.map(({ name }) => name).sort();
  }

  /** Messages sent so far that no acknowledgement was seen of, in one room. */
  pending(room: string): number {
    let count = 0;
    for (const { client } of this.#talkers) {
      const line = this.#sent.get(lineKey(client.name, room)) ?? [];
      count += line.filter(({ state }) => state === "pending").length;
    }
    return count;
  }

  /** How many messages each line has now, for {@linkcode pendingThoughHeard}. */
  mark(): ReadonlyMap<string, number> {
    return new Map([...this.#sent].map(([key, line]) => [key, line.length]));
  }

  /** Messages sent to one room since `mark` that someone has heard, though no acknowledgement was seen of them. */
  pendingThoughHeard(room: string, mark: ReadonlyMap<string, number>): number {
    let count = 0;
    for (const { client } of this.#talkers) {
      const key = lineKey(client.name, room);
      const heard = Math.max(...this.#talkers.map(({ highest }) => highest.get(key) ?? 0));
      const line = (this.#sent.get(key) ?? []).slice(mark.get(key) ?? 0);
      count += line.filter(({ state, number }) => state === "pending" && number <= heard).length;
    }
    return count;
  }

  /** Lets all of them talk until `hush`. */
  talk(): void {
    for (const talker of this.#talkers) {
      this.#timers.add(setInterval(() => this.#say(talker), EVERY_MS));
    }
  }

  #say(talker: Talker): void {
    const { client, acknowledged } = talker;
    if (talker.pending >= MOST_PENDING || client.end) return;
    const room = this.rooms[talker.count++ % this.rooms.length] as string;
    const line = this.#line(client.name, room);
    const sent: Sent = { number: line.length + 1, state: acknowledged ? "pending" : "unasked" };
    line.push(sent);
    const said = client.say(room, numbered(client.name, sent.number), acknowledged);
    if (!acknowledged) return void said.catch(() => {});
    talker.pending++;
    said.then(() => sent.state = "acknowledged", (error) => {
      sent.state = "failed";
      this.#failures.push(String(error));
    }).finally(() => talker.pending--);
  }

  #line(sender: string, room: string): Sent[] {
    const key = lineKey(sender, room);
    let line = this.#sent.get(key);
    if (!line) this.#sent.set(key, line = []);
    return line;
  }

  /** Waits until everyone has heard so many messages of everyone in every room as are not even sent now. */
  async progress(messages: number): Promise<void> {
    await this.#heardUpTo((line) => line.length + messages, `${messages} more messages of everyone`);
  }

  async #heardUpTo(goal: (line: readonly Sent[]) => number, what: string): Promise<void> {
    const goals = new Map<string, number>();
    for (const { client: { name } } of this.#talkers) {
      for (const room of this.rooms) goals.set(lineKey(name, room), goal(this.#line(name, room)));
    }
    const missing = (): string | undefined => {
      for (const { client, highest } of this.#talkers) {
        for (const [key, number] of goals) {
          const heard = highest.get(key) ?? 0;
          if (heard < number) return `${client.name} heard ${heard} of ${number} by ${key}`;
        }
      }
    };
    await until(() => missing() === undefined, () => `${what}: ${missing()}`, WAIT_MS);
  }

  /** Ends the talk; resolves when every acknowledgement and the last message of every line is there. */
  async hush(): Promise<void> {
    this.#silence();
    await until(
      () => this.#talkers.every(({ pending }) => pending === 0),
      () => `acknowledgements: ${this.#talkers.map(({ client, pending }) => `${client.name} ${pending}`)}`,
      WAIT_MS,
    );
    await this.#heardUpTo((line) => line.length, "the last messages");
  }

  /**
   * What went wrong: a message that came twice, out of order or not at all, one that was refused, a connection that ended. Of
   * everything that was sent, `keeps` must have arrived; where that is all of it, everyone has heard it in the same order.
   */
  problems(keeps: Keeps): string[] {
    const { clients } = this;
    const ended = clients.filter(({ end }) => end).map(({ name, end }) =>
      `${name} was cut off with ${end?.code}`
    );
    const bad = clients.flatMap(({ name, heard }) => this.problemsOf(name, heard, keeps));
    const order = keeps === "everything" ? this.rooms.flatMap((room) => orderProblems(room, clients)) : [];
    return [...ended, ...this.#failures, ...bad, ...order];
  }

  /** What is wrong with what someone else heard who was in the rooms for as long as the crowd. */
  problemsOf(receiver: string, heard: readonly { room: string; body: string }[], keeps: Keeps): string[] {
    return deliveryProblems(receiver, heard, this.#sent, keeps);
  }

  /** Waits until everyone was told that these rooms have moved. */
  async toldOf(rooms: readonly string[]): Promise<void> {
    const missing = (): string[] =>
      this.clients.flatMap(({ name, moved }) =>
        rooms.filter((room) => !moved.some((word) => word.room === room)).map((room) => `${name} of ${room}`)
      );
    await until(
      () => missing().length === 0,
      () => `everyone is told what has moved; not yet ${missing()}`,
      WAIT_MS,
    );
  }

  /** What went wrong in telling: everyone must have heard once, of exactly these rooms, whether something was lost. */
  movedProblems(rooms: readonly string[], lost: boolean): string[] {
    const due = rooms.map((room) => JSON.stringify({ room, lost })).sort().join(" ");
    return this.clients.flatMap(({ name, moved }) => {
      const told = moved.map((word) => JSON.stringify({ room: word.room, lost: word.lost })).sort().join(" ");
      return told === due ? [] : [`${name} was told ${told || "nothing"}, not ${due || "nothing"}`];
    });
  }

  /** Ends the talk, and all connections. */
  async disperse(): Promise<void> {
    this.#silence();
    await Promise.allSettled(this.clients.map((client) => client.close()));
  }

  #silence(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers.clear();
  }
}
