/**
 * The sockets on which a proxy takes users in.
 *
 * @module
 */
import type { Connection, ConnectionHandler, ListenSocket, Transport } from "../lib/transport.ts";
import type { ClientProtocol } from "../protocols/protocol.ts";
import type { ProxyListen, ProxyListening } from "./options.ts";

interface Entry {
  readonly protocol: string;
  readonly socket: ListenSocket;
}

/** The sockets that the proxy opened itself, and those that others opened for it. */
export class ProxySockets {
  readonly #own: Entry[] = [];
  readonly #attached: Entry[] = [];
  #ownClosed = false;
  #attachedClosed = false;

  /** The own ones in the order of their options, then the attached ones. */
  get list(): readonly ProxyListening[] {
    return [...this.#own, ...this.#attached].map(({ protocol, socket: { host, port } }) => {
      return { protocol, host, port };
    });
  }

  /** `host:port` for the list of members: `given`, in which port 0 stands for the first port listened on, or the first. */
  address(given: string | undefined): string {
    const { host, port } = this.list[0] ?? { host: "127.0.0.1", port: 0 };
    const address = given ?? `${host.includes(":") ? `[${host}]` : host}:0`;
    return address.replace(/:0$/, `:${port}`);
  }

  /** Listens; throws as {@linkcode Transport.listen} does. */
  async open(
    transport: Transport,
    options: ProxyListen,
    accept: (connection: Connection, protocol: ClientProtocol) => ConnectionHandler,
  ): Promise<void> {
    const { protocol, ...where } = options;
    const socket = await transport.listen(where, (connection) => accept(connection, protocol));
    this.#own.push({ protocol: protocol.name, socket });
    if (this.#ownClosed) void socket.close();
  }

  /** Takes charge of a socket; one that comes too late is closed at once. */
  attach(protocol: string, socket: ListenSocket): void {
    this.#attached.push({ protocol, socket });
    if (this.#attachedClosed) void socket.close();
  }

  /** Stops listening on the own ones; resolves when their ports are free. */
  async closeOwn(): Promise<void> {
    this.#ownClosed = true;
    await Promise.all(this.#own.map(({ socket }) => socket.close()));
  }

  /** The same for the attached ones. */
  async closeAttached(): Promise<void> {
    this.#attachedClosed = true;
    await Promise.all(this.#attached.map(({ socket }) => socket.close()));
  }
}
