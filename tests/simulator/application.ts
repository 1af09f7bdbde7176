/**
 * The applications of model clusters: what they do with a message, and that what they are told makes sense.
 *
 * @module
 */
import type { ChatServer } from "../../src/chat/chat_server.ts";
import type { ChatUser, RoomCloseReason } from "../../src/chat/chat_user.ts";
import type { Body } from "../../src/lib/body.ts";
import { delay } from "../../src/lib/clock.ts";
import type { ProcessClock } from "../support/virtual_clock.ts";
import { type Note, readNote } from "./client.ts";
import type { Program } from "./schedule.ts";

/** Longest time that an async listener takes. */
const LISTENER_MS = 30;

/** What all applications of a run do, and saw. */
export class Application {
  /** What they saw that they must not see. */
  readonly complaints: string[] = [];
  /** What they said straight into rooms that were open beside the one that caused it. */
  readonly beside: Set<string> = new Set();
  /** How often one was given each message. */
  readonly given: Map<string, number> = new Map();
  /** Lives of rooms that ended, in order of time, with the sessions that were in them. */
  readonly closed: {
    readonly at: number;
    readonly server: string;
    readonly room: string;
    readonly epoch: string;
    readonly reason: RoomCloseReason;
    readonly users: ReadonlySet<string>;
  }[] = [];
  /** Lives of rooms that opened at a server, as `server room epoch`. */
  readonly lives: Set<string> = new Set();
  /** What applications were told of other lives of their rooms. */
  readonly merged: {
    readonly at: number;
    readonly room: string;
    readonly from: string;
    readonly epoch: string;
    readonly users: readonly string[];
  }[] = [];
  /** How often rooms opened, by reason. */
  readonly opened: Map<string, number> = new Map();
  readonly #program: Program;

  constructor(program: Program) {
    this.#program = program;
  }

  /** Adds the listeners of one server; `held` says whether it has its lease. */
  install(chat: ChatServer, clock: ProcessClock, held: () => boolean): void {
    this.#watch(chat, clock);
    if (this.#program === "relay") return;
    chat.on("message", async (user, room, body) => {
      const note = readNote(body);
      if (!held()) {
        this.complaints.push(`${clock.now()} ${chat.id} accepted ${note.stream} ${note.k} without its lease`);
      }
      const key = `${note.stream} ${note.k}`;
      this.given.set(key, (this.given.get(key) ?? 0) + 1);
      if (this.#program !== "async") return this.#say(chat, user, room, note);
      await delay(clock, Math.floor(clock.random() * LISTENER_MS));
      this.#say(chat, user, room, note);
    });
  }

  #say(chat: ChatServer, user: ChatUser, room: string, note: Note): void {
    const numbered = (): Body => {
      const { epoch, offset } = chat.room(room) ?? { epoch: "", offset: 0 };
      return { ...note, epoch, offset: offset + 1 };
    };
    if (this.#program === "parts") {
      chat.send([user], room, numbered());
      chat.broadcast(room, numbered(), { except: user });
    } else chat.broadcast(room, numbered());
    const { forward, stream, k } = note;
    if (forward === undefined) return;
    chat.sendToRoom(forward, { stream: `${stream}>${forward}`, k });
    if (chat.broadcast(forward, { stream: `${stream}>>${forward}`, k })) this.beside.add(`${stream} ${k}`);
  }

  /** The events of a room tell one story: it opens, users join and leave, it closes. */
  #watch(chat: ChatServer, clock: ProcessClock): void {
    const rooms = new Map<string, Set<string>>();
    const epochs = new Map<string, string>();
    const complain = (text: string): void => {
      this.complaints.push(`${clock.now()} ${chat.id} ${text}`);
    };
    chat.on("open", (room, reason) => {
      this.opened.set(reason, (this.opened.get(reason) ?? 0) + 1);
      if (rooms.has(room)) complain(`opened ${room} twice`);
      rooms.set(room, new Set());
      const epoch = chat.room(room)?.epoch ?? "";
      epochs.set(room, epoch);
      this.lives.add(`${chat.id} ${room} ${epoch}`);
    });
    chat.on("close", (room, reason) => {
      const users = rooms.get(room);
      if (!users) return complain(`closed ${room}, which was not open`);
      rooms.delete(room);
      const life = { server: chat.id, room, epoch: epochs.get(room) ?? "" };
      this.closed.push({ at: clock.now(), ...life, reason, users });
    });
    chat.on("merge", (room, { from, epoch, users }) => {
      const sessions = users.map(({ sessionId }) => sessionId);
      this.merged.push({ at: clock.now(), room, from, epoch, users: sessions });
      if (!rooms.has(room)) complain(`merged ${room}, which was not open`);
      if (epochs.get(room) === epoch) complain(`merged ${room} with its own life`);
    });
    chat.on("join", (user, room) => {
      const users = rooms.get(room);
      if (!users) return complain(`${user.userId} joined ${room}, which was not open`);
      if (users.has(user.sessionId)) complain(`${user.userId} joined ${room} twice`);
      users.add(user.sessionId);
    });
    chat.on("leave", (user, room) => {
      const users = rooms.get(room);
      if (!users?.delete(user.sessionId)) complain(`${user.userId} left ${room} without having joined`);
    });
    chat.on("error", (error) => complain(String(error)));
  }
}
