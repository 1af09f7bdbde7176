/**
 * A room on the ChatServer that owns it, or is about to.
 *
 * @module
 */
import { Deque } from "../lib/deque.ts";
import { RecentNumbers } from "../lib/recent.ts";
import type { AckFrame, DeliverFrame, MessageFrame } from "../link/frames.ts";
import { encodeFrame, type Link } from "../link/link.ts";
import type { ChatUser } from "./chat_user.ts";

/** A member of a room. */
export interface RoomMember {
  readonly user: ChatUser;
  readonly attachment: Attachment;
  /** Whether the relay sends it its own messages. */
  echo: boolean;
}

/** A router's stake in a room: the members that it announced, and what was refused to it. */
export interface Attachment {
  readonly link: Link;
  /** What the ids of all sessions begin with that it may speak for. */
  readonly prefix: string;
  /** Number of its last announcement. */
  attach: number;
  /** The epoch that it has seen the room in. */
  epoch: string | undefined;
  readonly members: Map<string, RoomMember>;
  /** Senders of whom nothing is accepted until this number of theirs, or a `head`, comes. */
  readonly refusing: Map<string, number>;
  /** Members that came one by one before the room was open: each is answered on its own. */
  late: string[];
}

/** What a room does one at a time: a message, or an event for the application. */
export interface Job {
  /** The message; undefined for an event. */
  readonly message: Inbound | undefined;
  /** Does it; a promise keeps the room busy. */
  run(): void | Promise<void>;
}

/** A message that has arrived. */
export interface Inbound {
  readonly frame: MessageFrame;
  /** Its number on the link. */
  readonly n: number;
  /** Where its acknowledgement goes; a repeat over a new link replaces it. */
  link: Link;
  readonly since: number;
  /** Whether the router was told that it is held. */
  held: boolean;
  /** Whether it waits for what it led to in other rooms. */
  routed?: boolean;
  /** Repeats of it by another server's application, which are answered with it. */
  twins?: Inbound[];
}

/** The message that an application is working on, which what it sends meanwhile is numbered under. */
export interface Cause {
  /** Id of the user who sent it. */
  readonly from: string | undefined;
  /** The life of the room that it was sent to. */
  readonly room: Room;
  /** The sender, and the number that its first consequence gets; undefined where it is not an acknowledged one. */
  readonly origin: { readonly sender: string; next: number } | undefined;
  /** Frames that proxies must take before it is acknowledged. */
  readonly frames: Map<Link, number>;
  /** Messages to other rooms that must be acknowledged before it is. */
  routed: number;
  /** Why the first of them that failed did. */
  failure: AckFrame["error"];
  /** Called when `routed` falls to zero. */
  settled: (() => void) | undefined;
  /** Whether its listeners have settled: what is sent later is nobody's consequence. */
  over: boolean;
}

/** Who gets a message. */
export type Recipients =
  | { readonly kind: "all" }
  | { readonly kind: "except"; readonly sessions: ReadonlySet<string> }
  | { readonly kind: "only"; readonly sessions: ReadonlySet<string> };

/**
 * One room: who is in it, in which order things happen, and where it stands.
 *
 * `waiting`: not open yet; members are noted, messages held. `open`: accepts. `sealed`: is being handed off; refuses.
 */
export class Room {
  readonly name: string;
  phase: "waiting" | "open" | "sealed" = "waiting";
  epoch = "";
  offset = 0;
  /** How often it was opened in this epoch. */
  term = 0;
  readonly attachments: Map<Link, Attachment> = new Map();
  readonly members: Map<string, RoomMember> = new Map();
  /** Highest number accepted of each sender that may repeat itself, and of each cause in another room. */
  readonly senders: RecentNumbers = new RecentNumbers();
  /** Acknowledged messages that are not acknowledged yet, by sender and number. */
  readonly unacknowledged: Map<string, Inbound> = new Map();
  /** When it was made, by the server's clock. */
  readonly since: number;
  /** When it was last used. */
  used = 0;
  readonly #jobs: Deque<Job> = new Deque();
  readonly #stopped: (room: Room, link: Link) => void;
  #busy = false;
  #whenIdle: (() => void) | undefined;

  /**
   * Makes a room that is not open yet; `since` is the time of it. `stopped` is told of the link that a message waits for:
   * `run` is to be called when it has drained.
   */
  constructor(name: string, since = 0, stopped: (room: Room, link: Link) => void = () => {}) {
    this.name = name;
    this.since = since;
    this.#stopped = stopped;
  }

  /** Whether a job is under way or waits. */
  get busy(): boolean {
    return this.#busy || this.#jobs.length > 0;
  }

  /** Whether a message that came now would have its turn at once. */
  get ready(): boolean {
    return this.phase === "open" && !this.busy && this.#fullLink === undefined;
  }

  /** A link that should not get more now, and has members here. */
  get #fullLink(): Link | undefined {
    for (const { link, members } of this.attachments.values()) if (link.full && members.size > 0) return link;
    return undefined;
  }

  /** The users in it. */
  get users(): ChatUser[] {
    return [...this.members.values()].map((member) => member.user);
  }

  /** Notes a router's announcement: what was refused to it before counts no more. */
  attach(link: Link, members: ReadonlySet<string>, attach: number, epoch: string | undefined): Attachment {
    let attachment = this.attachments.get(link);
    if (!attachment) {
      attachment = {
        link,
        prefix: `${link.peer.id}.`,
        attach,
        epoch,
        members: new Map(),
        refusing: new Map(),
        late: [],
      };
      this.attachments.set(link, attachment);
    }
    attachment.attach = attach;
    attachment.epoch = epoch ?? attachment.epoch;
    attachment.refusing.clear();
    attachment.late = attachment.late.filter((session) => members.has(session));
    return attachment;
  }

  /** Adds a member; returns it where it is new. */
  add(attachment: Attachment, user: ChatUser, echo: boolean): RoomMember | undefined {
    const there = attachment.members.get(user.sessionId);
    if (there) {
      there.echo = echo;
      return undefined;
    }
    const member: RoomMember = { user, attachment, echo };
    attachment.members.set(user.sessionId, member);
    this.members.set(user.sessionId, member);
    return member;
  }

  /** Takes a member out; returns it where it was in. */
  remove(session: string): RoomMember | undefined {
    const member = this.members.get(session);
    if (!member) return undefined;
    this.members.delete(session);
    member.attachment.members.delete(session);
    return member;
  }

  /** Runs a job now, or when its turn comes. */
  enqueue(job: Job): void {
    this.#jobs.push(job);
    this.run();
  }

  #start(job: Job): void {
    // What a listener does to its own room while it runs, such as putting somebody out, has its turn afterwards.
    this.#busy = true;
    const work = job.run();
    if (!work) return this.#done();
    work.finally(() => {
      this.#done();
      this.run();
    });
  }

  #done(): void {
    this.#busy = false;
    this.#whenIdle?.();
  }

  /** Puts jobs before all that wait. */
  first(jobs: Job[]): void {
    this.#jobs.prepend(jobs);
  }

  /** Takes out the messages that wait and came over a link. */
  takeFrom(link: Link): Inbound[] {
    const taken: Inbound[] = [];
    this.#jobs.filter(({ message }) => {
      if (message?.link === link) taken.push(message);
      return message?.link !== link;
    });
    return taken;
  }

  /** Takes out all messages that wait; events stay. */
  takeMessages(): Inbound[] {
    const taken: Inbound[] = [];
    this.#jobs.filter(({ message }) => {
      if (message) taken.push(message);
      return !message;
    });
    return taken;
  }

  /** Runs what waits, as far as the room is open and not busy. A message waits for all links with members. */
  run(): void {
    while (this.phase === "open" && !this.#busy) {
      const job = this.#jobs.peek();
      if (!job) return;
      const link = job.message && this.#fullLink;
      if (link) return this.#stopped(this, link);
      this.#jobs.shift();
      this.#start(job);
    }
  }

  /** Takes out everything that waits. */
  clear(): Inbound[] {
    const messages: Inbound[] = [];
    for (let job = this.#jobs.shift(); job; job = this.#jobs.shift()) {
      if (job.message) messages.push(job.message);
    }
    return messages;
  }

  /** Takes out the messages at the front that have waited since before `time`. */
  expire(time: number): Inbound[] {
    const late: Inbound[] = [];
    for (let job = this.#jobs.peek(); job?.message && job.message.since <= time; job = this.#jobs.peek()) {
      this.#jobs.shift();
      late.push(job.message);
    }
    return late;
  }

  /** Calls `done` when the job under way, if any, has ended. */
  whenIdle(done: () => void): void {
    if (!this.#busy) return done();
    this.#whenIdle = () => {
      this.#whenIdle = undefined;
      done();
    };
  }

  /**
   * Sends a message to members: one frame for each link that has any of them. Notes in `cause` what proxies must take.
   */
  deliver(
    content: Pick<DeliverFrame, "from" | "body" | "encoding">,
    to: Recipients,
    cause: Cause | undefined,
  ): void {
    const offset = ++this.offset;
    const origin = cause?.origin;
    const number: DeliverFrame["cause"] = origin ? [origin.sender, origin.next++] : undefined;
    let shared: string | undefined;
    for (const { link, members } of this.attachments.values()) {
      if (members.size === 0 || link.ended) continue;
      const part = narrow(members, to);
      if (part === "none") continue;
      const n = part === "all"
        ? link.sendEncoded(shared ??= encodeFrame(deliverFrame(this.name, offset, content, number)))
        : link.send(deliverFrame(this.name, offset, content, number, part));
      if (origin) cause.frames.set(link, n);
    }
  }
}

/** Written out: a spread costs as much as the rest of it. */
function deliverFrame(
  room: string,
  offset: number,
  { from, body, encoding }: Pick<DeliverFrame, "from" | "body" | "encoding">,
  cause: DeliverFrame["cause"],
  to?: Pick<DeliverFrame, "only" | "except">,
): DeliverFrame {
  const { only, except } = to ?? NO_PART;
  return { type: "deliver", room, offset, from, cause, only, except, encoding, body } as DeliverFrame;
}

const NO_PART: Pick<DeliverFrame, "only" | "except"> = {};

/** What a message's recipients mean on one link: the shorter of "all but these" and "only these". */
function narrow(
  members: ReadonlyMap<string, RoomMember>,
  to: Recipients,
): "all" | "none" | { only: string[] } | { except: string[] } {
  if (to.kind === "all") return "all";
  const named: string[] = [];
  // The shorter of the two is walked: a room may have thousands of members, and a message one to leave out.
  if (to.sessions.size <= members.size) {
    for (const session of to.sessions) if (members.has(session)) named.push(session);
  } else {
    for (const session of members.keys()) if (to.sessions.has(session)) named.push(session);
  }
  if (named.length === 0) return to.kind === "only" ? "none" : "all";
  if (named.length === members.size) return to.kind === "only" ? "all" : "none";
  if (named.length * 2 <= members.size) return to.kind === "only" ? { only: named } : { except: named };
  const listed = new Set(named);
  const others = [...members.keys()].filter((session) => !listed.has(session));
  return to.kind === "only" ? { except: others } : { only: others };
}
