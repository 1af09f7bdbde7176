/**
 * TCP over `node:net`, for Node and Deno.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import net, { type Socket } from "node:net";
import tls from "node:tls";
import type {
  ClientTlsOptions,
  Connection,
  ConnectionHandler,
  ConnectOptions,
  ListenOptions,
  ListenSocket,
  TcpAddress,
} from "../src/lib/transport.ts";
import { BaseConnection, OPEN, PEER_ENDED, type Settings } from "./base.ts";
import { abortError, bindHost, connectError, endpoint, listenError, plainAddress } from "./failures.ts";
import { type Chunk, join } from "./join.ts";
import { secured, secureServer } from "./node_tls.ts";
import { clientTls } from "./tls_options.ts";

/** Chunks of this many bytes and more on average go to the kernel as they are (`writev`); smaller ones are joined. */
const JOIN_BELOW = 8192;

const owner = Symbol("connection");
type Owned = Socket & { [owner]: NodeTcpConnection };

/** One TCP connection over `node:net`. */
export class NodeTcpConnection extends BaseConnection {
  override readonly kind = "bytes";
  override readonly remoteAddress: string;
  readonly #socket: Socket;
  #error: Error | undefined = undefined;

  /** Wraps a connected socket. */
  constructor(socket: Socket, settings: Settings) {
    super(marksFor(socket, settings));
    this.#socket = socket;
    this.remoteAddress = plainAddress(socket.remoteAddress);
    (socket as Owned)[owner] = this;
    // Functions that all sockets share: a closure per event would be most of an idle connection's memory.
    socket.on("data", onData);
    socket.on("drain", onDrain);
    socket.on("end", onEnd);
    socket.on("error", onError);
    socket.on("close", onClose);
  }

  override get bufferedAmount(): number {
    return this.#socket.destroyed ? 0 : this.#socket.writableLength;
  }

  override send(chunk: Chunk): boolean {
    if (this.state !== OPEN) return false;
    if (chunk.length > 0) this.#socket.write(chunk);
    return this.admit(this.#socket.writableLength);
  }

  override sendAll(chunks: readonly Chunk[]): boolean {
    if (this.state !== OPEN) return false;
    if (chunks.length === 1) return this.send(chunks[0]!);
    writeAll(this.#socket, chunks);
    return this.admit(this.#socket.writableLength);
  }

  override pause(): void {
    if (this.state === OPEN) this.#socket.pause();
  }

  override resume(): void {
    if (this.state === OPEN) this.#socket.resume();
  }

  /** Bytes arrived; Node reads into memory that it does not use again. */
  onData(chunk: Buffer): void {
    this.push(chunk);
  }

  /** The buffer is empty. */
  onDrain(): void {
    this.drained(this.#socket.writableLength);
  }

  /** The peer sent a FIN; the socket, not being half-open, sends what is queued and then ends too. */
  onEnd(): void {
    if (this.state !== OPEN) return;
    this.state = PEER_ENDED;
    this.because({ kind: "peer" });
  }

  /** The socket broke; `onClose` follows. */
  onError(error: Error): void {
    this.#error = error;
  }

  /** The socket is gone. */
  onClose(): void {
    const error = this.#error;
    this.finish(
      error ? { kind: "error", message: error.message } : { kind: "peer" },
      this.#socket.writableFinished,
    );
  }

  protected override shutdown(): void {
    this.#socket.end();
    // Reads on, into nothing: only so is the peer's FIN seen, and a close with unread bytes would be a reset.
    this.#socket.resume();
  }

  protected override destroy(): void {
    reset(this.#socket);
  }
}

function onData(this: Socket, chunk: Buffer): void {
  (this as Owned)[owner].onData(chunk);
}

function onDrain(this: Socket): void {
  (this as Owned)[owner].onDrain();
}

function onEnd(this: Socket): void {
  (this as Owned)[owner].onEnd();
}

function onError(this: Socket, error: Error): void {
  (this as Owned)[owner].onError(error);
}

function onClose(this: Socket): void {
  (this as Owned)[owner].onClose();
}

/** Settings for a socket: a stream drains only after its own mark was passed, so ours cannot be lower. */
export function marksFor(socket: Socket, settings: Settings): Settings {
  const least = socket.writableHighWaterMark;
  return settings.highMark >= least ? settings : { ...settings, highMark: least };
}

/** Writes chunks in one system call: small ones joined, large ones as they are. */
export function writeAll(socket: Socket, chunks: readonly Chunk[]): void {
  let size = 0;
  for (let i = 0; i < chunks.length; i++) size += chunks[i]!.length;
  if (size === 0) return;
  if (size < chunks.length * JOIN_BELOW) {
    socket.write(join(chunks));
    return;
  }
  socket.cork();
  for (let i = 0; i < chunks.length; i++) if (chunks[i]!.length > 0) socket.write(chunks[i]!);
  socket.uncork();
}

/** Drops a socket at once: a TCP reset, so that the peer cannot take what it got for the whole. */
export function reset(socket: Socket): void {
  if (socket.destroyed) return;
  // A socket whose FIN is on its way refuses a reset and would then never tell its end; TLS sockets know none.
  if (socket.connecting || socket.writableEnded || "encrypted" in socket) socket.destroy();
  else socket.resetAndDestroy();
}

/** Starts a server of `node:net`, `node:tls`, `node:http` or `node:https`. Throws as `listen` does. */
export function startListening(server: net.Server, options: ListenOptions): Promise<ListenSocket> {
  const more = options.tls ? secured(server as tls.Server, options.handshake) : {};
  return new Promise((resolve, reject) => {
    const failed = (error: Error) => reject(listenError(error, options));
    server.once("error", failed);
    const listening = () => {
      server.off("error", failed);
      // Such as a failed accept when file descriptors run out: that connection is lost, the server lives.
      server.on("error", () => {});
      const at = server.address() as net.AddressInfo;
      const socket = { host: at.address, port: at.port, close: () => stopListening(server) };
      resolve({ ...socket, ...more });
    };
    try {
      server.listen({ port: options.port, host: bindHost(options), backlog: 1024 }, listening);
    } catch (error) {
      reject(listenError(error, options));
    }
  });
}

/** Stops accepting. The callback of `close` would wait for open connections; the port is free when it returns. */
function stopListening(server: net.Server): Promise<void> {
  if (server.listening) server.close();
  return Promise.resolve();
}

/** Listens for TCP or TLS. */
export function listenTcp(
  options: ListenOptions,
  accept: (connection: Connection) => ConnectionHandler,
  settings: Settings,
): Promise<ListenSocket> {
  const accepted = (socket: Socket) => {
    new NodeTcpConnection(socket, settings).start(accept);
  };
  if (!options.tls) return startListening(net.createServer({ noDelay: true }, accepted), options);
  return startListening(
    secureServer(options.tls, (material) => tls.createServer(material, accepted)),
    options,
  );
}

function openSocket({ host, port }: TcpAddress, secure: ClientTlsOptions | undefined): Socket {
  if (!secure) return net.connect({ host, port, noDelay: true });
  const name = secure.serverName ?? host;
  // Server Name Indication takes no IP address (RFC 6066, section 3); what is verified is the name all the same.
  const servername = net.isIP(name) ? "" : name;
  const socket = tls.connect({
    host,
    port,
    servername,
    ...clientTls(secure),
    checkServerIdentity: (_: string, certificate: tls.PeerCertificate) =>
      tls.checkServerIdentity(name, certificate),
  });
  socket.setNoDelay(true);
  return socket;
}

/** Connects over TCP or TLS. */
export function connectTcp(
  address: TcpAddress,
  handler: (connection: Connection) => ConnectionHandler,
  options: ConnectOptions,
  settings: Settings,
): Promise<Connection> {
  const { signal } = options;
  const to = endpoint(address.host, address.port);
  if (signal?.aborted) return Promise.reject(abortError(signal, to));
  return new Promise((resolve, reject) => {
    const socket = openSocket(address, options.tls);
    const abort = () => {
      reject(abortError(signal!, to));
      socket.destroy();
    };
    const failed = (error: Error) => {
      signal?.removeEventListener("abort", abort);
      reject(connectError(error, to));
    };
    signal?.addEventListener("abort", abort, { once: true });
    socket.on("error", failed);
    // Over TLS it is a connection only once the server has proved who it is.
    socket.once(options.tls ? "secureConnect" : "connect", () => {
      signal?.removeEventListener("abort", abort);
      socket.off("error", failed);
      const connection = new NodeTcpConnection(socket, settings);
      const failure = connection.start(handler);
      if (failure) reject(failure.error);
      else resolve(connection);
    });
  });
}
