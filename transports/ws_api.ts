/**
 * The part of the `ws` package that the transports use, typed here: the package brings no types of its own, and those
 * of `@types/ws` would reach Deno only as one more dependency.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { WebSocket, WebSocketServer } from "ws";

/** One WebSocket of `ws`. */
export interface Ws {
  /** 0 connecting, 1 open, 2 closing, 3 closed. */
  readonly readyState: number;
  on(event: "message", listener: (this: Ws, data: Buffer, isBinary: boolean) => void): unknown;
  on(event: "close", listener: (this: Ws, code: number, reason: Buffer) => void): unknown;
  on(event: "pong", listener: (this: Ws) => void): unknown;
  on(event: "error", listener: (this: Ws, error: Error & { code?: string }) => void): unknown;
  once(event: "open", listener: () => void): unknown;
  once(event: "upgrade", listener: (response: IncomingMessage) => void): unknown;
  once(
    event: "unexpected-response",
    listener: (request: unknown, response: IncomingMessage) => void,
  ): unknown;
  off(event: "error", listener: (error: Error) => void): unknown;
  send(data: Uint8Array | string): void;
  ping(): void;
  close(code: number, reason: string): void;
  terminate(): void;
  pause(): void;
  resume(): void;
}

/** A server of `ws` that is handed its upgrades. */
export interface WsServer {
  handleUpgrade(request: IncomingMessage, socket: Socket, head: Buffer, done: (ws: Ws) => void): void;
}

/** Options common to both sides. */
interface WsOptions {
  perMessageDeflate: false;
  maxPayload: number;
}

type WsConstructor = new (url: URL, protocols: string[], options: WsOptions) => Ws;
type WsServerConstructor = new (
  options: WsOptions & { noServer: true; clientTracking: false; handleProtocols: () => string | false },
) => WsServer;

/** Opens a WebSocket to a server, without compression. `secure`: options of `node:tls`. */
export function openWs(url: URL, protocols: readonly string[], maxPayload: number, secure: object): Ws {
  return new (WebSocket as unknown as WsConstructor)(url, [...protocols], {
    ...secure,
    perMessageDeflate: false,
    maxPayload,
  });
}

/** Makes a server that is handed its upgrades; `protocol` says which subprotocol the one under way gets. */
export function wsServer(maxPayload: number, protocol: () => string | false): WsServer {
  return new (WebSocketServer as unknown as WsServerConstructor)({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload,
    handleProtocols: protocol,
  });
}
