/**
 * Users who talk all the time, and when each room was served.
 *
 * @module
 */
import { until } from "../../tests/support/until.ts";

/** A message that came back to who sent it. */
interface Served {
  readonly sentAt: number;
  readonly heardAt: number;
}

/** A user on one proxy. */
class User {
  readonly #socket: WebSocket;
  #served: Map<string, Served[]> = new Map();
  #moved: Map<string, { at: number; lost: boolean }[]> = new Map();

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#take(String(data));
  }

  static async connect(url: string, name: string): Promise<User> {
    const socket = new WebSocket(`${url}?user=${name}`);
    const user = new User(socket);
    await until(() => socket.readyState === WebSocket.OPEN, `a WebSocket for ${name}`);
    return user;
  }

  get open(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  join(room: string): void {
    this.#served.set(room, []);
    this.#moved.set(room, []);
    this.#socket.send(JSON.stringify({ type: "join", room }));
  }

  say(room: string): void {
    this.#socket.send(JSON.stringify({ type: "message", room, body: performance.now() }));
  }

  #take(text: string): void {
    const at = performance.now();
    const message = JSON.parse(text) as { type: string; room: string; body: number; lost: boolean };
    if (message.type === "message") {
      this.#served.get(message.room)?.push({ sentAt: message.body, heardAt: at });
    } else if (message.type === "moved") this.#moved.get(message.room)?.push({ at, lost: message.lost });
  }

  served(room: string): readonly Served[] {
    return this.#served.get(room) ?? [];
  }

  moved(room: string): readonly { at: number; lost: boolean }[] {
    return this.#moved.get(room) ?? [];
  }

  forget(): void {
    for (const room of this.#served.keys()) this.#served.set(room, []);
    for (const room of this.#moved.keys()) this.#moved.set(room, []);
  }

  close(): void {
    this.#socket.close();
  }
}

/** A user on each host, and rooms that all of them are in. One of them talks in a room, every few milliseconds. */
export class Talk {
  readonly rooms: readonly string[];
  readonly #users: Map<number, User> = new Map();
  /** The host on whose proxy somebody talks in a room. */
  readonly #talkers: Map<string, number> = new Map();
  readonly #everyMs: number;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Nobody talks before `start`. */
  constructor(rooms: number, everyMs: number) {
    this.rooms = Array.from({ length: rooms }, (_, i) => `room-${i + 1}`);
    this.#everyMs = everyMs;
  }

  /** A user enters on a host's proxy and joins all rooms. */
  async enter(host: number, url: string): Promise<void> {
    this.#users.get(host)?.close();
    const user = await User.connect(url, `user-${host}`);
    for (const room of this.rooms) user.join(room);
    this.#users.set(host, user);
  }

  /** From now on there is talk in all rooms, by users of the given hosts in turn. */
  speak(hosts: readonly number[]): void {
    for (const [i, room] of this.rooms.entries()) this.#talkers.set(room, hosts[i % hosts.length] as number);
    this.#timer ??= setInterval(() => {
      for (const room of this.rooms) this.#user(this.talker(room)).say(room);
    }, this.#everyMs);
  }

  /** The host on whose proxy somebody talks in a room. */
  talker(room: string): number {
    return this.#talkers.get(room) ?? NaN;
  }

  #user(host: number): User {
    const user = this.#users.get(host);
    if (!user) throw new Error(`there is no user on host ${host}`);
    return user;
  }

  /** Silence; users stay. */
  pause(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** When a message that was sent after `at` first came back in a room, to who had sent it. */
  async servedAfter(room: string, at: number, ms = 60_000): Promise<number> {
    const user = this.#user(this.talker(room));
    const find = (): number | undefined => user.served(room).find(({ sentAt }) => sentAt > at)?.heardAt;
    const disconnected = (): string => user.open ? "" : " (its user was disconnected)";
    return await until(find, () => `a message in ${room} to come back${disconnected()}`, ms);
  }

  /** When everybody on the given hosts had heard, after `at`, that a room has moved without loss. */
  async movedAfter(room: string, at: number, hosts: readonly number[]): Promise<number> {
    const times = hosts.map((host) =>
      until(
        () => this.#user(host).moved(room).find((moved) => moved.at > at && !moved.lost)?.at,
        `${room} to move, as the user on host ${host} hears it`,
        60_000,
      )
    );
    return Math.max(...await Promise.all(times));
  }

  /** Forgets all that was heard so far. */
  forget(): void {
    for (const user of this.#users.values()) user.forget();
  }

  /** Ends everything. */
  end(): void {
    this.pause();
    for (const user of this.#users.values()) user.close();
  }
}
