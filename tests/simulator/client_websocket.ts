/**
 * A client that speaks JSON over WebSocket, version 1.
 *
 * @module
 */
import type { Connection, ConnectionHandler } from "../../src/lib/transport.ts";
import type { Refusal } from "../../src/protocols/protocol.ts";
import { type ClientOptions, type Publication, readNote, type Stay } from "./client.ts";
import { WireClient } from "./client_wire.ts";
import { type Cluster, HTTP_PORT, type Proxy } from "./cluster.ts";

/** What the server sends. */
interface Answer {
  readonly type: string;
  readonly room: string;
  readonly id?: number;
  readonly body?: unknown;
  readonly lost?: boolean;
  readonly reason?: string;
  readonly code?: Refusal;
}

/** Over the network, as `/ws` is spoken. */
export class WebSocketClient extends WireClient {
  #id = 0;
  readonly #asked: Map<number, (refusal: Refusal | undefined) => void> = new Map();

  constructor(user: string, cluster: Cluster, proxy: Proxy, options: ClientOptions) {
    super(user, cluster, proxy, options);
    this.dial(`ws://${proxy.id}:${HTTP_PORT}/ws?user=${this.login}`, []);
  }

  protected override begin(_connection: Connection): Pick<ConnectionHandler, "data"> {
    return { data: (chunk) => this.#take(JSON.parse(String(chunk)) as Answer) };
  }

  #take(answer: Answer): void {
    const { type, room, id } = answer;
    if (type === "welcome") this.opened = true;
    else if (type === "message") this.arrived({ room, note: readNote(answer.body) });
    else if (type === "moved") this.arrived({ room, lost: answer.lost as boolean });
    else if (type === "left") { if (answer.reason !== undefined) this.out(room); }
    else if (type === "joined" || type === "ack" || type === "error") this.#answered(id, answer.code);
    else throw new Error(`${this.user} got ${JSON.stringify(answer)}`);
  }

  #answered(id: number | undefined, code: Refusal | undefined): void {
    const done = id === undefined ? undefined : this.#asked.get(id);
    if (!done) throw new Error(`${this.user} got an answer to ${id}, which was not asked: ${code}`);
    this.#asked.delete(id as number);
    done(code);
  }

  #ask(done: (refusal: Refusal | undefined) => void): number {
    this.#asked.set(++this.#id, done);
    return this.#id;
  }

  #send(message: object): void {
    this.connection?.send(JSON.stringify(message));
  }

  protected override askJoin(stay: Stay): void {
    const id = this.#ask((refusal) => this.answered(stay, refusal));
    this.#send({ type: "join", room: stay.room, id });
  }

  protected override askLeave(room: string): void {
    this.#send({ type: "leave", room });
  }

  protected override send(publication: Publication): void {
    const { room, note: body, acknowledged } = publication;
    const id = acknowledged ? this.#ask((refusal) => this.done(publication, refusal)) : undefined;
    this.#send({ type: "message", room, body, id });
  }
}
