/**
 * A client that speaks the model's own protocol: no network is between it and its proxy.
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
} from "../../src/protocols/protocol.ts";
import { Client, type ClientOptions, type Publication, readNote, type Stay } from "./client.ts";
import type { Cluster, Proxy } from "./cluster.ts";

const encoding: Encoding = {
  stream: false,
  encode: ({ room, body, acknowledged }: Delivery) => JSON.stringify({ room, note: body, acknowledged }),
};

/** What it does happens at its proxy in the next turn, or when that one wakes. */
export class ModelClient extends Client {
  readonly #events: ConnectionHandler;
  #channel: ClientChannel | undefined;

  constructor(user: string, cluster: Cluster, proxy: Proxy, options: ClientOptions) {
    super(user, cluster, proxy, options);
    const protocol: ClientProtocol = { name: "model", accept: (channel) => this.#accept(channel) };
    this.#events = proxy.server.accept(this.#connection(), protocol);
  }

  #accept(channel: ClientChannel): ClientHandler {
    this.#channel = channel;
    channel.open({ username: this.login }).then((opened) => this.opened = "session" in opened);
    return {
      encoding,
      data() {},
      encode: (delivery) => encoding.encode(delivery),
      moved: (room, lost) => channel.send(JSON.stringify({ room, lost })),
      left: (room) => this.out(room),
      end() {},
      close() {},
    };
  }

  #connection(): Connection {
    const take = (chunk: Uint8Array | string): boolean => {
      const { note, ...rest } = JSON.parse(String(chunk));
      this.arrived(note === undefined ? rest : { ...rest, note: readNote(note) });
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
      close: () => this.#over({ kind: "local" }),
      terminate: () => this.#over({ kind: "terminated" }),
      get readable(): never {
        throw new Error("not needed here");
      },
      get writable(): never {
        throw new Error("not needed here");
      },
    };
  }

  #over(reason: CloseReason): void {
    if (this.endedAt !== undefined) return;
    this.ended();
    this.proxy.clock.defer(() => this.#events.close(reason));
  }

  /** Its proxy was killed. */
  cutOff(): void {
    this.ended();
  }

  protected override get ready(): boolean {
    return this.opened && this.endedAt === undefined && this.proxy.clock.alive;
  }

  #do(act: (channel: ClientChannel) => void): void {
    this.proxy.clock.defer(() => act(this.#channel as ClientChannel));
  }

  protected override askJoin(stay: Stay): void {
    const { acknowledged } = this.options;
    this.#do((channel) =>
      channel.join(stay.room, { acknowledged }, (refusal) => this.answered(stay, refusal))
    );
  }

  protected override askLeave(room: string): void {
    this.#do((channel) => channel.leave(room, () => {}));
  }

  protected override send(publication: Publication): void {
    const { room, note, acknowledged } = publication;
    this.#do((channel) =>
      channel.publish(
        room,
        { ...note },
        acknowledged ? (failure) => this.done(publication, failure) : undefined,
      )
    );
  }

  protected override hangUp(): void {
    this.proxy.clock.defer(() => this.#events.close({ kind: "peer" }));
  }

  protected override read(): void {}
}
