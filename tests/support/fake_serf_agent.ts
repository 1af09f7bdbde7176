/**
 * A Serf agent that speaks the real RPC over any transport, and knows of a cluster what a test tells it: a list of members
 * to be set, events and queries to be delivered, and a record of what its clients did.
 *
 * ```ts
 * const agent = new FakeSerfAgent({ transport, name: "a" });
 * await agent.start();
 * agent.members.push(fakeMember("b", { address: "10.0.0.2", tags: new Map([["role", "web"]]) }));
 * agent.deliver({ Event: "user", LTime: 1, Name: "hint", Payload: null, Coalesce: false });
 * ```
 *
 * @module
 */
import { type Clock, systemClock } from "../../src/lib/clock.ts";
import type { ListenSocket, Transport } from "../../src/lib/transport.ts";
import { encodable, entriesOf } from "../../src/membership/serf/serf_codec.ts";
import { changedTags, encodedTagsLength } from "../../src/membership/serf/serf_tags.ts";
import { type FakeRequest, FakeSerfClientConnection } from "./fake_serf_wire.ts";

/** One member of the list that the agent tells. */
export interface FakeMember {
  readonly name: string;
  /** IPv4 as text. */
  address: string;
  port: number;
  tags: ReadonlyMap<string, string>;
  status: string;
}

/** A member that is alive, without tags, on 127.0.0.1:7946 where nothing else is said. */
export function fakeMember(name: string, given: Partial<Omit<FakeMember, "name">> = {}): FakeMember {
  return { name, address: "127.0.0.1", port: 7946, tags: new Map(), status: "alive", ...given };
}

/** A member as it goes over the wire. */
export function wireMember({ name, address, port, tags, status }: FakeMember): Record<string, unknown> {
  return {
    Name: name,
    Addr: Uint8Array.from(address.split("."), Number),
    Port: port,
    Tags: encodable(tags),
    Status: status,
    ...{ ProtocolMin: 1, ProtocolMax: 5, ProtocolCur: 2, DelegateMin: 2, DelegateMax: 5, DelegateCur: 5 },
  };
}

/** A user event that a client sent. */
export interface FakeUserEvent {
  readonly name: string;
  readonly payload: Uint8Array;
  readonly coalesce: boolean;
}

/** A query that a client sent. */
export interface FakeQuery {
  readonly name: string;
  readonly payload: Uint8Array;
  readonly acks: boolean;
  readonly timeoutMs: number;
  readonly filterNodes: readonly string[];
  /** Tells the client that an agent got it. */
  ack(from: string): void;
  /** Tells the client an answer. */
  answer(from: string, payload: Uint8Array): void;
}

/** Options of {@linkcode FakeSerfAgent}. */
export interface FakeSerfAgentOptions {
  readonly transport: Transport;
  /** Its own name; default `"a"`. */
  readonly name?: string;
  /** Its own address; default `"127.0.0.1"`. */
  readonly address?: string;
  /** Where its RPC listens; default 127.0.0.1:7373. */
  readonly host?: string;
  readonly port?: number;
  /** Key of the RPC; default none. */
  readonly authKey?: string;
  /** Time; default the system's. */
  readonly clock?: Clock;
  /** What other agents do with a user event; default nothing. The agent itself tells it to its streams. */
  readonly onUserEvent?: (event: FakeUserEvent) => void;
  /** What other agents do with a query. The agent itself acknowledges it and tells it to its streams. */
  readonly onQuery?: (query: FakeQuery) => void;
  /** The agent's own tags have changed. */
  readonly onTags?: (tags: ReadonlyMap<string, string>) => void;
}

type Body = Record<string, unknown>;
const OK = "";
/** Milliseconds from the answer to `leave` to the agent's end. */
const LEAVE_MS = 50;
const NO_BYTES = new Uint8Array(0);

/** An agent without a cluster. */
export class FakeSerfAgent {
  /** Its own name. */
  readonly name: string;
  /** What `members` answers, itself included; replace it or change it at any time. */
  members: FakeMember[];
  /** The commands of all requests, oldest first. */
  readonly requests: string[] = [];
  /** All `tags` calls that were accepted. */
  readonly tagCalls: { tags: ReadonlyMap<string, string>; deleteTags: readonly string[] }[] = [];
  /** All user events that clients sent. */
  readonly userEvents: FakeUserEvent[] = [];
  /** All answers of clients to queries. */
  readonly responses: { id: number; payload: Uint8Array }[] = [];
  /** Commands that are never answered: the connection hangs. */
  readonly hanging: Set<string> = new Set();
  /** Milliseconds until a command is answered; what comes behind it on its connection waits. */
  readonly delays: Map<string, number> = new Map();
  /** Commands that are refused, with the agent's words. */
  readonly refusals: Map<string, string> = new Map();
  readonly #options: FakeSerfAgentOptions;
  readonly #clock: Clock;
  readonly #connections: Set<FakeSerfClientConnection> = new Set();
  #socket: ListenSocket | undefined;
  #ltime = 0;
  #pending: {
    connection: FakeSerfClientConnection;
    id: number;
    until: number;
    answer: FakeQuery["answer"];
  }[] = [];

  /** Listens with `start`. */
  constructor(options: FakeSerfAgentOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.name = options.name ?? "a";
    this.members = [fakeMember(this.name, { address: options.address ?? "127.0.0.1" })];
  }

  /** Its own entry in the list. */
  get self(): FakeMember {
    const self = this.members.find(({ name }) => name === this.name);
    if (!self) throw new Error(`${this.name} is not in its own list`);
    return self;
  }

  /** Where its RPC listens, as `HOST:PORT`. */
  get rpc(): string {
    return `${this.#options.host ?? "127.0.0.1"}:${this.#socket?.port ?? this.#options.port ?? 7373}`;
  }

  /** Connections of clients that are open. */
  get connections(): readonly FakeSerfClientConnection[] {
    return [...this.#connections];
  }

  /** Listens. */
  async start(): Promise<void> {
    const { transport, host = "127.0.0.1", port = 7373, authKey } = this.#options;
    this.#socket = await transport.listen({ host, port }, (connection) => {
      const client = new FakeSerfClientConnection(connection, {
        authKey,
        serve: (request) => this.#serve(client, request),
        ended: () => this.#connections.delete(client),
      });
      this.#connections.add(client);
      return client;
    });
  }

  /** Ends as an agent that is killed: its port is closed, and all connections with it. */
  async kill(): Promise<void> {
    for (const client of this.#connections) client.terminate();
    this.#connections.clear();
    await this.#socket?.close();
    this.#socket = undefined;
  }

  /** Kills it and starts it again; as with a real one its tags are gone. */
  async restart(): Promise<void> {
    await this.kill();
    this.self.tags = new Map();
    await this.start();
  }

  /** Tells every stream a record, as it goes over the wire. */
  deliver(record: Body): void {
    for (const client of this.#connections) {
      if (client.stream !== undefined) client.reply(client.stream, OK, record);
    }
  }

  /** Tells every stream that members did something. */
  deliverMembers(type: string, members: readonly FakeMember[]): void {
    this.deliver({ Event: type, Members: members.map(wireMember) });
  }

  /** Tells every stream a user event. */
  deliverUserEvent({ name, payload, coalesce }: FakeUserEvent): void {
    const Payload = payload.length > 0 ? payload : null;
    this.deliver({ Event: "user", LTime: ++this.#ltime, Name: name, Payload, Coalesce: coalesce });
  }

  /** Tells every stream a query; what clients respond within the time goes to `answer`. */
  deliverQuery(
    name: string,
    payload: Uint8Array,
    timeoutMs: number,
    answer: (from: string, payload: Uint8Array) => void,
  ): void {
    const until = this.#clock.now() + timeoutMs;
    const LTime = ++this.#ltime;
    for (const connection of this.#connections) {
      if (connection.stream === undefined) continue;
      const id = connection.nextQuery();
      this.#pending.push({ connection, id, until, answer });
      const Payload = payload.length > 0 ? payload : null;
      connection.reply(connection.stream, OK, { Event: "query", ID: id, LTime, Name: name, Payload });
    }
  }

  #serve(client: FakeSerfClientConnection, request: FakeRequest): void {
    const { command } = request;
    this.requests.push(command);
    if (this.hanging.has(command)) return;
    const answer = (): void => {
      if (!this.#connections.has(client)) return;
      this.#answer(client, request);
      client.next();
    };
    const ms = this.delays.get(command);
    if (ms === undefined) answer();
    else this.#clock.after(ms, answer);
  }

  #answer(client: FakeSerfClientConnection, { command, seq, body }: FakeRequest): void {
    const refusal = this.refusals.get(command);
    if (refusal !== undefined) return client.reply(seq, refusal, bodyOfRefusal(command));
    if (command === "members") client.reply(seq, OK, { Members: this.members.map(wireMember) });
    else if (command === "members-filtered") this.#filter(client, seq, body);
    else if (command === "stats") client.reply(seq, OK, this.#stats());
    else if (command === "tags") client.reply(seq, this.#setTags(body));
    else if (command === "event") client.reply(seq, this.#sendEvent(body));
    else if (command === "query") this.#sendQuery(client, seq, body);
    else if (command === "respond") client.reply(seq, this.#respond(client, body));
    else if (command === "join") client.reply(seq, OK, { Num: (body["Existing"] as unknown[]).length });
    else if (command === "get-coordinate") client.reply(seq, OK, this.#coordinate(body));
    else if (command.endsWith("-key") || command === "list-keys") client.reply(seq, OK, this.#keys());
    else client.reply(seq, OK);
    if (command === "force-leave") this.#forceLeave(body);
    if (command === "leave") this.#clock.after(LEAVE_MS, () => void this.kill());
  }

  #filter(client: FakeSerfClientConnection, seq: number, body: Body): void {
    try {
      const whole = (text: unknown): RegExp => new RegExp(`^(?:${String(text)})$`);
      const [name, status] = [body["Name"], body["Status"]];
      const found = this.members.filter((each) =>
        (!name || whole(name).test(each.name)) && (!status || whole(status).test(each.status)) &&
        Object.entries(body["Tags"] as Body).every(([key, value]) =>
          whole(value).test(each.tags.get(key) ?? "")
        )
      );
      client.reply(seq, OK, { Members: found.map(wireMember) });
    } catch {
      client.terminate();
    }
  }

  #stats(): Body {
    const tags = encodable(this.self.tags);
    return { agent: { name: this.name }, runtime: {}, serf: { members: String(this.members.length) }, tags };
  }

  #setTags(body: Body): string {
    const changes = new Map(entriesOf(body["Tags"] as Body) as [string, string][]);
    const deleteTags = (body["DeleteTags"] ?? []) as string[];
    const tags = changedTags(this.self.tags, changes, deleteTags);
    if (encodedTagsLength(tags) > 512) return "Encoded length of tags exceeds limit of 512 bytes";
    this.self.tags = tags;
    this.tagCalls.push({ tags: changes, deleteTags });
    this.#options.onTags?.(tags);
    return OK;
  }

  #sendEvent(body: Body): string {
    const payload = bytesOf(body["Payload"]);
    const name = String(body["Name"]);
    if (name.length + payload.length > 512) {
      return "user event exceeds configured limit of 512 bytes before encoding";
    }
    const event = { name, payload, coalesce: body["Coalesce"] === true };
    this.userEvents.push(event);
    this.deliverUserEvent(event);
    this.#options.onUserEvent?.(event);
    return OK;
  }

  #sendQuery(client: FakeSerfClientConnection, seq: number, body: Body): void {
    const name = String(body["Name"]);
    const payload = bytesOf(body["Payload"]);
    if (name.length + payload.length > 1000) return client.reply(seq, "query exceeds limit of 1024 bytes");
    const timeoutMs = (body["Timeout"] as number) / 1e6 || 5000;
    let over = false;
    const tell = (Type: string, From: string, bytes: Uint8Array): void => {
      const Payload = bytes.length > 0 ? bytes : null;
      if (!over && this.#connections.has(client)) client.reply(seq, OK, { Type, From, Payload });
    };
    const filterNodes = (body["FilterNodes"] ?? []) as string[];
    const query: FakeQuery = {
      ...{ name, payload, timeoutMs, filterNodes, acks: body["RequestAck"] === true },
      ack: (from) => query.acks && tell("ack", from, NO_BYTES),
      answer: (from, bytes) => tell("response", from, bytes),
    };
    client.reply(seq, OK);
    this.#clock.after(timeoutMs, () => {
      tell("done", "", NO_BYTES);
      over = true;
    });
    if (filterNodes.length === 0 || filterNodes.includes(this.name)) {
      query.ack(this.name);
      this.deliverQuery(name, payload, timeoutMs, query.answer);
    }
    this.#options.onQuery?.(query);
  }

  #respond(client: FakeSerfClientConnection, body: Body): string {
    const now = this.#clock.now();
    this.#pending = this.#pending.filter(({ until }) => until > now);
    const found = this.#pending.find(({ connection, id }) => connection === client && id === body["ID"]);
    if (!found) return "No pending queries matching ID";
    const payload = bytesOf(body["Payload"]);
    this.responses.push({ id: found.id, payload });
    found.answer(this.name, payload);
    return OK;
  }

  #forceLeave(body: Body): void {
    const found = this.members.find(({ name, status }) => name === body["Node"] && status !== "alive");
    if (found) found.status = "left";
    if (body["Prune"] === true) this.members = this.members.filter((each) => each !== found);
  }

  #coordinate(body: Body): Body {
    const Ok = this.members.some(({ name }) => name === body["Node"]);
    return { Coord: { Vec: Ok ? [0.5, 0] : null, Error: 1.5, Adjustment: 0, Height: 0.25 }, Ok };
  }

  #keys(): Body {
    const NumNodes = this.members.length;
    return { Messages: {}, Keys: { "a2V5": NumNodes }, NumNodes, NumErr: 0, NumResp: NumNodes };
  }
}

/** A copy: what was decoded is a view of memory that changes. */
function bytesOf(value: unknown): Uint8Array {
  return value instanceof Uint8Array ? Uint8Array.from(value) : NO_BYTES;
}

/** These send their body with an error too. */
function bodyOfRefusal(command: string): Body | undefined {
  if (command === "join") return { Num: 0 };
  if (!/-keys?$/.test(command)) return undefined;
  return { Messages: { a: "no such key" }, Keys: null, NumNodes: 1, NumErr: 1, NumResp: 1 };
}
