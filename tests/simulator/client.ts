/**
 * A user of a model cluster, and a record of everything that it did and that happened to it.
 *
 * @module
 */
import type { CloseReason, Connection, ConnectionHandler } from "../../src/lib/transport.ts";
import type {
  ClientChannel,
  ClientHandler,
  ClientProtocol,
  Delivery,
  Encoding,
  Refusal,
} from "../../src/protocols/protocol.ts";
import type { Cluster, Proxy } from "./cluster.ts";

/** What a model message carries. */
export interface Note {
  /** Names the stream: the sender, its room, and the target where the application sends it on. */
  readonly stream: string;
  /** Counts the sender's messages of this stream. */
  readonly k: number;
  /** Where the application is to send it on to. */
  readonly forward?: string;
  /** Where the application says it: the room's epoch, and the message's number in it. */
  readonly epoch?: string;
  readonly offset?: number;
}

/** One message that was sent. */
export interface Publication {
  readonly room: string;
  readonly note: Note;
  readonly at: number;
  readonly acknowledged: boolean;
  /** When it was acknowledged or failed. */
  doneAt: number | undefined;
  failure: Refusal | undefined;
}

/** One stay in a room. */
export interface Stay {
  readonly room: string;
  readonly askedAt: number;
  /** When it was let in. */
  from: number | undefined;
  /** When it left, or was put out. */
  to: number | undefined;
  refusal: Refusal | undefined;
}

/** Something that arrived. */
export type Arrival =
  | { readonly at: number; readonly room: string; readonly note: Note }
  | { readonly at: number; readonly room: string; readonly lost: boolean };

const encoding: Encoding = {
  stream: false,
  encode: ({ room, body }: Delivery) => JSON.stringify({ room, note: body }),
};

/** One user. */
export class Client {
  readonly user: string;
  readonly proxy: Proxy;
  readonly published: Publication[] = [];
  readonly stays: Stay[] = [];
  readonly arrivals: Arrival[] = [];
  /** When its connection ended. */
  endedAt: number | undefined;
  /** Whether the proxy asked it to stop sending. */
  paused = false;
  session = "";
  readonly #cluster: Cluster;
  readonly #acknowledged: boolean;
  readonly #events: ConnectionHandler;
  #channel!: ClientChannel;
  readonly #counts = new Map<string, number>();

  constructor(user: string, cluster: Cluster, proxy: Proxy, acknowledged: boolean) {
    this.user = user;
    this.proxy = proxy;
    this.#cluster = cluster;
    this.#acknowledged = acknowledged;
    const protocol: ClientProtocol = { name: "model", accept: (channel) => this.#accept(channel) };
    this.#events = proxy.server.accept(this.#connection(), protocol);
  }

  get #now(): number {
    return this.#cluster.clock.now();
  }

  #accept(channel: ClientChannel): ClientHandler {
    this.#channel = channel;
    channel.open({ username: this.user }).then((opened) => {
      this.session = "session" in opened ? opened.session : "";
    });
    return {
      encoding,
      data() {},
      encode: (delivery) => encoding.encode(delivery),
      moved: (room, lost) => channel.send(JSON.stringify({ room, lost })),
      left: (room) => this.#out(room),
      end() {},
      close() {},
    };
  }

  #connection(): Connection {
    const take = (chunk: Uint8Array | string): boolean => {
      if (this.endedAt === undefined) this.arrivals.push({ at: this.#now, ...JSON.parse(String(chunk)) });
      return true;
    };
    return {
      kind: "messages",
      remoteAddress: "model",
      bufferedAmount: 0,
      send: take,
      sendAll: (chunks) => chunks.every(take),
      pause: () => this.paused = true,
      resume: () => this.paused = false,
      close: () => this.#end({ kind: "local" }),
      terminate: () => this.#end({ kind: "terminated" }),
      get readable(): never {
        throw new Error("not needed here");
      },
      get writable(): never {
        throw new Error("not needed here");
      },
    };
  }

  /** Its proxy is gone. */
  cutOff(): void {
    this.endedAt ??= this.#now;
    for (const stay of this.stays) stay.to ??= this.#now;
  }

  #end(reason: CloseReason): void {
    if (this.endedAt !== undefined) return;
    this.cutOff();
    this.proxy.clock.defer(() => this.#events.close(reason));
  }

  #out(room: string): void {
    for (const stay of this.stays) if (stay.room === room) stay.to ??= this.#now;
  }

  /** Whether it can do things: connected to a proxy that lives. */
  get live(): boolean {
    return this.endedAt === undefined && this.proxy.running && this.session !== "";
  }

  /** The present stay in a room. */
  stay(room: string): Stay | undefined {
    return this.stays.find((stay) => stay.room === room && stay.to === undefined);
  }

  /** The rooms that it is in, or about to be. */
  get rooms(): string[] {
    return this.stays.filter((stay) => stay.to === undefined).map((stay) => stay.room);
  }

  join(room: string): void {
    if (this.stay(room)) return;
    const stay: Stay = { room, askedAt: this.#now, from: undefined, to: undefined, refusal: undefined };
    this.stays.push(stay);
    this.#channel.join(room, { acknowledged: this.#acknowledged }, (refusal) => {
      if (refusal) {
        stay.refusal = refusal;
        stay.to ??= this.#now;
      } else stay.from = this.#now;
    });
  }

  leave(room: string): void {
    this.#out(room);
    this.#channel.leave(room, () => {});
  }

  publish(room: string, acknowledged: boolean, forward?: string): Publication {
    const stream = `${this.user}/${room}`;
    const k = (this.#counts.get(stream) ?? 0) + 1;
    this.#counts.set(stream, k);
    const note: Note = forward === undefined ? { stream, k } : { stream, k, forward };
    const publication: Publication = {
      room,
      note,
      at: this.#now,
      acknowledged,
      doneAt: undefined,
      failure: undefined,
    };
    this.published.push(publication);
    const done = (failure: Refusal | undefined): void => {
      if (publication.doneAt !== undefined) throw new Error(`acknowledged twice: ${stream} ${k}`);
      publication.doneAt = this.#now;
      publication.failure = failure;
    };
    this.#channel.publish(room, { ...note }, acknowledged ? done : undefined);
    return publication;
  }

  /** Ends its connection, as a client does that has nothing more to say. */
  disconnect(): void {
    this.#end({ kind: "peer" });
  }
}
