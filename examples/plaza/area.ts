/**
 * One area as the ChatServer that owns it holds it in memory: who watches it, whose avatar is where.
 *
 * It starts empty wherever the room opens; the pages announce themselves again when they are told that it has moved.
 *
 * @module
 */
import type { ChatUser, Json } from "../../mod.ts";
import type { Avatar, PlazaRequest } from "./requests.ts";
import { readName } from "./requests.ts";

/** How an area reaches its members. */
export interface AreaHost {
  /** The members of the room now. */
  users(): readonly ChatUser[];
  /** Sends to some of them. */
  send(users: Iterable<ChatUser>, body: Json): void;
}

/** An area's state. Pages are members that said `hello`; other members, as those on MQTT, are shown as birds. */
export class Area {
  readonly #host: AreaHost;
  readonly #pages: Map<string, ChatUser> = new Map();
  readonly #avatars: Map<string, Avatar> = new Map();

  /** Nobody is in it yet. */
  constructor(host: AreaHost) {
    this.#host = host;
  }

  /** How many avatars are here. */
  get avatars(): number {
    return this.#avatars.size;
  }

  /** A member came. */
  joined(user: ChatUser): void {
    this.#tell({ kind: "bird", who: user.sessionId, name: readName(undefined, user.userId) });
  }

  /** A member went. */
  left(user: ChatUser): void {
    this.#pages.delete(user.sessionId);
    this.#avatars.delete(user.sessionId);
    this.#tell({ kind: "gone", who: user.sessionId });
  }

  /** Members that are no pages: they get what is said, and nothing else. */
  listeners(): ChatUser[] {
    return this.#host.users().filter(({ sessionId }) => !this.#pages.has(sessionId));
  }

  /** Somebody wants something. */
  take(user: ChatUser, request: PlazaRequest): void {
    const who = user.sessionId;
    if (request.kind === "say") {
      const name = this.#avatars.get(who)?.name ?? readName(undefined, user.userId);
      return this.#tell({ kind: "say", who, name, text: request.text });
    }
    if (request.kind === "hello") return this.#welcome(user);
    if (!this.#pages.has(who)) return;
    if (request.kind === "here") {
      this.#avatars.set(who, request.avatar);
      return this.#tell({ kind: "here", who, ...toJson(request.avatar) });
    }
    const avatar = this.#avatars.get(who);
    if (!avatar) return;
    if (request.kind === "away") {
      this.#avatars.delete(who);
      return this.#tell({ kind: "away", who });
    }
    this.#avatars.set(who, { ...avatar, x: request.x, y: request.y });
    this.#tell({ kind: "walk", who, x: request.x, y: request.y });
  }

  #welcome(user: ChatUser): void {
    const birds = this.listeners().filter(({ sessionId }) => sessionId !== user.sessionId);
    this.#pages.set(user.sessionId, user);
    this.#tell({ kind: "flown", who: user.sessionId });
    this.#host.send([user], {
      kind: "people",
      people: [...this.#avatars].map(([who, avatar]) => ({ who, ...toJson(avatar) })),
      birds: birds.slice(0, MOST_BIRDS).map(({ sessionId, userId }) => ({
        who: sessionId,
        name: readName(undefined, userId),
      })),
    });
  }

  #tell(body: Json): void {
    if (this.#pages.size > 0) this.#host.send(this.#pages.values(), body);
  }
}

/** A page draws no more than these. */
const MOST_BIRDS = 24;

function toJson({ name, look, x, y }: Avatar): { name: string; look: number[]; x: number; y: number } {
  return { name, look: [...look], x, y };
}
