/**
 * A user of a model cluster, and a record of everything that it did and that happened to it.
 *
 * @module
 */
import type { Refusal } from "../../src/protocols/protocol.ts";
import type { Cluster, Proxy } from "./cluster.ts";
import type { Speech } from "./schedule.ts";

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
  failure: Refusal | "failed" | undefined;
}

/** One stay in a room. */
export interface Stay {
  readonly room: string;
  readonly askedAt: number;
  /** When it was let in. */
  from: number | undefined;
  /** When it left, or was put out. */
  to: number | undefined;
  refusal: Refusal | "failed" | undefined;
}

/** Something that arrived. */
export type Arrival =
  | { readonly at: number; readonly room: string; readonly note: Note; readonly acknowledged?: boolean }
  | { readonly at: number; readonly room: string; readonly lost: boolean };

/** A time of not reading; without `to` it lasts. */
export interface Stall {
  readonly from: number;
  to: number | undefined;
}

/** How a client differs from the plainest one. */
export interface ClientOptions {
  /** User, and MQTT client identifier. Default: its own name, which nobody else has. */
  readonly login?: string | undefined;
  readonly speaks: Speech;
  /** Whether it takes acknowledged deliveries acknowledged. */
  readonly acknowledged: boolean;
  /** How many of these it takes at a time. */
  readonly receiveMaximum?: number | undefined;
}

/** One user's connection. What it does before it can is not done, and not recorded. */
export abstract class Client {
  /** Its own name. */
  readonly user: string;
  readonly proxy: Proxy;
  readonly options: ClientOptions;
  readonly published: Publication[] = [];
  readonly stays: Stay[] = [];
  readonly arrivals: Arrival[] = [];
  readonly stalls: Stall[] = [];
  /** When its connection ended. */
  endedAt: number | undefined;
  /** Whether it ended it itself, in order. */
  farewell = false;
  /** Whether the proxy asked it to stop sending. */
  paused = false;
  /** Whether its session is open. */
  opened = false;
  protected readonly cluster: Cluster;
  readonly #counts: Map<string, number> = new Map();

  constructor(user: string, cluster: Cluster, proxy: Proxy, options: ClientOptions) {
    this.user = user;
    this.cluster = cluster;
    this.proxy = proxy;
    this.options = options;
  }

  /** Milliseconds of the run. */
  protected get now(): number {
    return this.cluster.clock.now();
  }

  /** The name by which ChatServers know it. */
  get login(): string {
    return this.options.login ?? this.user;
  }

  /** Whether its connection can take what it wants to send. */
  protected abstract readonly ready: boolean;
  protected abstract askJoin(stay: Stay): void;
  protected abstract askLeave(room: string): void;
  protected abstract send(publication: Publication): void;
  /** Ends its connection: in order, or at once. */
  protected abstract hangUp(inOrder: boolean): void;
  /** Reads no more, or reads again. */
  protected abstract read(on: boolean): void;

  /** Whether it can do things: connected to a proxy that lives. */
  get live(): boolean {
    return this.endedAt === undefined && this.proxy.running && this.opened;
  }

  /** Whether it reads nothing now. */
  get stalled(): boolean {
    const last = this.stalls.at(-1);
    return last !== undefined && last.to === undefined;
  }

  /** The present stay in a room. */
  stay(room: string): Stay | undefined {
    return this.stays.find((stay) => stay.room === room && stay.to === undefined);
  }

  /** Joins a room, unless it is in. */
  join(room: string): void {
    if (!this.ready || this.stay(room)) return;
    const stay: Stay = { room, askedAt: this.now, from: undefined, to: undefined, refusal: undefined };
    this.stays.push(stay);
    this.askJoin(stay);
  }

  /** Leaves a room. */
  leave(room: string): void {
    if (!this.ready) return;
    this.out(room);
    this.askLeave(room);
  }

  /** Sends a message. Where it cannot, that has failed at once and is not recorded. */
  publish(room: string, acknowledged: boolean, forward?: string): Publication {
    const stream = `${this.user}/${room}`;
    const k = (this.#counts.get(stream) ?? 0) + 1;
    const note = forward === undefined ? { stream, k } : { stream, k, forward };
    const message = { room, note, at: this.now, acknowledged };
    if (!this.ready) return { ...message, doneAt: this.now, failure: "gone" };
    const publication: Publication = { ...message, doneAt: undefined, failure: undefined };
    this.#counts.set(stream, k);
    this.published.push(publication);
    this.send(publication);
    return publication;
  }

  /** Ends its connection, as a client does that has nothing more to say, or without a word. */
  disconnect(inOrder = true): void {
    if (this.endedAt !== undefined) return;
    this.farewell = inOrder && this.opened;
    this.hangUp(inOrder);
    this.ended();
  }

  /** Reads nothing for so long, or never again. */
  stall(ms?: number): void {
    if (!this.ready || !this.opened || this.stalled) return;
    const stall: Stall = { from: this.now, to: undefined };
    this.stalls.push(stall);
    this.read(false);
    if (ms === undefined) return;
    this.cluster.clock.after(ms, () => {
      stall.to = this.now;
      if (this.endedAt === undefined) this.read(true);
    });
  }

  /** Its connection is over. */
  protected ended(): void {
    this.endedAt ??= this.now;
    for (const stay of this.stays) stay.to ??= this.now;
  }

  /** It is out of a room. */
  protected out(room: string): void {
    for (const stay of this.stays) if (stay.room === room) stay.to ??= this.now;
  }

  /** It was let in, or not. */
  protected answered(stay: Stay, refusal: Stay["refusal"]): void {
    // Who leaves before it was let in is told that it was not.
    if (this.endedAt !== undefined || (refusal && stay.to !== undefined)) return;
    if (refusal) {
      stay.refusal = refusal;
      stay.to = this.now;
    } else stay.from = this.now;
  }

  /** A message of its own was acknowledged or failed. */
  protected done(publication: Publication, failure: Publication["failure"]): void {
    if (this.endedAt !== undefined) return;
    const { stream, k } = publication.note;
    if (publication.doneAt !== undefined) throw new Error(`acknowledged twice: ${stream} ${k}`);
    publication.doneAt = this.now;
    publication.failure = failure;
  }

  /** Something has arrived. */
  protected arrived(what: { room: string; note: Note; acknowledged?: boolean } | Moved): void {
    if (this.endedAt === undefined) this.arrivals.push({ at: this.now, ...what });
  }
}

/** The word that a room has moved. */
export interface Moved {
  readonly room: string;
  readonly lost: boolean;
}

/** A note as it travels: applications get and give it as an object or as its JSON text. */
export function readNote(body: unknown): Note {
  return (typeof body === "string" ? JSON.parse(body) : body) as Note;
}
