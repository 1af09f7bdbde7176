/**
 * A room as a proxy sees it: its own members, and what is on its way to them.
 *
 * @module
 */
import { RecentNumbers } from "../lib/recent.ts";
import type { Chunk, Delivery, Encoding, JoinOptions, Refusal } from "../protocols/protocol.ts";
import type { Route } from "../link/route.ts";
import type { Session } from "./session.ts";

/** A session's place in a room. */
export interface RoomMember {
  readonly session: Session;
  /** Undefined once the owner has let the user in. `asked`: by a frame of its own, which is answered on its own. */
  pending: { since: number; done: ((refusal: Refusal | undefined) => void)[]; asked: boolean } | undefined;
  options: JoinOptions;
  /** Deliveries of this turn, where they differ from what the others get. */
  own: Delivery[] | undefined;
}

const encoder = new TextEncoder();

/** Joins chunks of a byte stream into one. */
function join(chunks: Chunk[]): Chunk {
  if (chunks.length === 1) return chunks[0] as Chunk;
  if (chunks.every((chunk) => typeof chunk === "string")) return chunks.join("");
  const parts = chunks.map((chunk) => (typeof chunk === "string" ? encoder.encode(chunk) : chunk));
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Encodes deliveries, each once for an encoding. */
class Encoded {
  readonly encoding: Encoding;
  readonly #chunks: Map<Delivery, Chunk> = new Map();

  constructor(encoding: Encoding) {
    this.encoding = encoding;
  }

  one(delivery: Delivery): Chunk {
    let chunk = this.#chunks.get(delivery);
    if (chunk === undefined) this.#chunks.set(delivery, chunk = this.encoding.encode(delivery));
    return chunk;
  }

  /** The shared chunks of a whole turn. */
  all(deliveries: readonly Delivery[]): Chunk[] {
    if (this.encoding.encodeAll && deliveries.length > 1) return [this.encoding.encodeAll(deliveries)];
    const chunks = deliveries.map((delivery) => this.encoding.encode(delivery));
    return this.encoding.stream && chunks.length > 1 ? [join(chunks)] : chunks;
  }
}

/**
 * Members and fan-out of one room. What arrives in a turn is gathered, encoded once for each encoding, and written as
 * the same bytes to every member; a member that gets something else than the others is forked for that turn.
 */
export class ProxyRoom {
  readonly name: string;
  /** The way to its owner; it stays while the room has members. */
  readonly route: Route;
  readonly members: Map<string, RoomMember> = new Map();
  /** Highest number delivered of each origin that may repeat itself. */
  readonly delivered: RecentNumbers;
  /** Whether a flush is due. */
  dirty = false;
  #batch: Delivery[] = [];
  readonly #forks: Set<RoomMember> = new Set();
  /** Members to whom acknowledged deliveries go acknowledged. */
  readonly #acknowledged: Set<RoomMember> = new Set();

  /** Made with the first member. `delivered` is what is remembered of an earlier time with members. */
  constructor(name: string, route: Route, delivered: RecentNumbers = new RecentNumbers()) {
    this.name = name;
    this.route = route;
    this.delivered = delivered;
  }

  /** Lets a member's options take effect. */
  admit(member: RoomMember): void {
    if (member.options.acknowledged) this.#acknowledged.add(member);
    else this.#acknowledged.delete(member);
  }

  /** Takes a member out; what this turn had for it is dropped. */
  remove(session: string): void {
    const member = this.members.get(session);
    if (!member) return;
    this.members.delete(session);
    this.#forks.delete(member);
    this.#acknowledged.delete(member);
  }

  /** Queues a delivery for the members that it is for: all, all but some, or only some. */
  deliver(
    delivery: Delivery,
    only: readonly string[] | undefined,
    except: readonly string[] | undefined,
  ): void {
    if (only) {
      for (const session of only) this.#forked(session)?.own?.push(delivery);
      return;
    }
    for (const session of except ?? []) this.#forked(session);
    if (delivery.acknowledged) { for (const member of this.#acknowledged) this.#fork(member); }
    if (this.#forks.size > 0) {
      const out = new Set(except);
      for (const member of this.#forks) if (!out.has(member.session.id)) member.own?.push(delivery);
    }
    this.#batch.push(delivery);
  }

  #forked(session: string): RoomMember | undefined {
    const member = this.members.get(session);
    if (!member || member.pending) return undefined;
    this.#fork(member);
    return member;
  }

  #fork(member: RoomMember): void {
    if (member.own) return;
    member.own = this.#batch.slice();
    this.#forks.add(member);
  }

  /** Hands this turn's bytes to the members' sessions. */
  flush(): void {
    this.dirty = false;
    const batch = this.#batch;
    this.#batch = [];
    const encodings = new Map<Encoding, { encoded: Encoded; shared: Chunk[] | undefined }>();
    for (const member of this.members.values()) {
      if (member.pending) continue;
      const { session } = member;
      const encoding = session.encoding;
      let group = encodings.get(encoding);
      if (!group) encodings.set(encoding, group = { encoded: new Encoded(encoding), shared: undefined });
      if (member.own) this.#flushFork(member, member.own, group.encoded);
      else if (batch.length > 0) session.deliver(group.shared ??= group.encoded.all(batch));
    }
    this.#forks.clear();
  }

  #flushFork(member: RoomMember, own: Delivery[], encoded: Encoded): void {
    member.own = undefined;
    const { session } = member;
    for (const delivery of own) {
      if (delivery.acknowledged && member.options.acknowledged) session.deliverAcknowledged(delivery);
      else session.deliver([encoded.one(delivery)]);
    }
  }
}
