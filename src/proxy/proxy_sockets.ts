/**
 * The sockets on which a proxy takes users in.
 *
 * @module
 */
import { advertised } from "../lib/hosts.ts";
import type { Connection, ConnectionHandler, ListenSocket, TlsOptions, Transport } from "../lib/transport.ts";
import type { ClientProtocol } from "../protocols/protocol.ts";
import type { ProxyListen, ProxyListening } from "./options.ts";

interface Entry {
  readonly protocol: string;
  readonly socket: ListenSocket;
  readonly tls: boolean;
}

/** The sockets that the proxy opened itself, and those that others opened for it. */
export class ProxySockets {
  readonly #own: Entry[] = [];
  readonly #attached: Entry[] = [];
  #ownClosed = false;
  #attachedClosed = false;

  /** The own ones in the order of their options, then the attached ones. */
  get list(): readonly ProxyListening[] {
    return [...this.#own, ...this.#attached].map(({ protocol, socket: { host, port }, tls }) => {
      return { protocol, host, port, ...(tls ? { tls } : {}) };
    });
  }

  /** How many clients are in their TLS handshake, as far as transports tell. */
  get handshakes(): number {
    return [...this.#own, ...this.#attached].reduce(
      (sum, { socket }) => sum + (socket.handshakes?.() ?? 0),
      0,
    );
  }

  /** `host:port` for the list of members: `given`, in which port 0 stands for the first port listened on, or the first. */
  address(given: string | undefined): string {
    return advertised(given, this.list[0] ?? { host: "127.0.0.1", port: 0 });
  }

  /** Listens; throws as {@linkcode Transport.listen} does. */
  async open(
    transport: Transport,
    options: ProxyListen,
    accept: (connection: Connection, protocol: ClientProtocol) => ConnectionHandler,
  ): Promise<void> {
    const { protocol, ...where } = options;
    const socket = await transport.listen(where, (connection) => accept(connection, protocol));
    this.#own.push({ protocol: protocol.name, socket, tls: where.tls !== undefined });
    if (this.#ownClosed) void socket.close();
  }

  /** Takes charge of a socket; one that comes too late is closed at once. */
  attach(protocol: string, socket: ListenSocket, tls: boolean): void {
    this.#attached.push({ protocol, socket, tls });
    if (this.#attachedClosed) void socket.close();
  }

  /** Changes the certificate of all with TLS; `false` where one of them cannot. Throws `bad_certificate`. */
  setCertificate(options: TlsOptions): boolean {
    let all = true;
    for (const { socket, tls } of [...this.#own, ...this.#attached]) {
      if (!tls) continue;
      if (socket.setCertificate) socket.setCertificate(options);
      else all = false;
    }
    return all;
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
