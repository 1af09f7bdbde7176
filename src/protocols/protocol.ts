/**
 * The contract between a ProxyServer and the protocols that its users speak. MQTT and JSON over WebSocket are two
 * implementations; another one needs nothing but what is in this file.
 *
 * @module
 */
import type { Body } from "../lib/body.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { CloseReason } from "../lib/transport.ts";
import type { GivenCredentials } from "./credentials.ts";

/** One chunk of a byte connection or one message of a WebSocket. */
export type Chunk = Uint8Array | string;

/** A message on its way to users. */
export interface Delivery {
  /** The room, which is also the MQTT topic. */
  readonly room: string;
  /** Id of the user who sent it; undefined where the application itself did. */
  readonly from: string | undefined;
  /** What it carries. */
  readonly body: Body;
  /** Sent with an acknowledgement asked for (MQTT QoS 1): members that joined with `acknowledged` get it so. */
  readonly acknowledged: boolean;
}

/**
 * How deliveries become bytes for all sessions that read the same bytes. Sessions that share an `Encoding` object share
 * the work: a delivery is encoded once for all of them.
 */
export interface Encoding {
  /** Whether chunks may be joined into one (a byte stream). Otherwise each chunk is one message. */
  readonly stream: boolean;
  /**
   * Encodes one delivery, as an unacknowledged one; an empty chunk where these sessions cannot take it. A delivery does
   * not change once it has been encoded: an encoding may know it again.
   */
  encode(delivery: Delivery): Chunk;
  /**
   * Encodes several into one chunk, for a stream. Worth writing where joining chunks costs more than making one: the
   * proxy calls it once for what a room gets in a turn.
   */
  encodeAll?(deliveries: readonly Delivery[]): Chunk;
}

/** Why something that a client asked for was refused or failed. */
export type Refusal =
  /** The room's name is empty, too long, has a wildcard, a NUL or a lone surrogate, or begins with `$`. */
  | "invalid_room"
  /** The message is too long. */
  | "too_large"
  /** The session is in as many rooms as it may be. */
  | "too_many_rooms"
  /** No ChatServer took it in time. */
  | "unavailable"
  /** A listener of the application threw. */
  | "listener_failed"
  /** A listener of the application did not settle in time. */
  | "listener_timeout"
  /** The user may not. */
  | "not_authorized"
  /** The ChatServer that the room would be on has as many rooms as it may. */
  | "server_full"
  /** As many users are in the room as may be. */
  | "room_full"
  /** The session ended, or the user left the room, before it was done. */
  | "gone";

/** How a session came to be. */
export interface OpenedSession {
  /** The user's id. */
  readonly user: string;
  /** The session's id, unique in the cluster. */
  readonly session: string;
}

/** Why a session did not come to be. */
export interface OpenRefusal {
  /**
   * `bad_credentials`: they are wrong or missing. `not_authorized`: the user may not come in, or may not have this will.
   * `unavailable`: it could not be found out. `gone`: the connection ended meanwhile, so that nobody is to be told.
   */
  readonly refused: "bad_credentials" | "not_authorized" | "unavailable" | "gone";
  /** For the client, where the application gave one. */
  readonly reason?: string | undefined;
}

/** How a user wants to be in a room. */
export interface JoinOptions {
  /** Acknowledged messages are delivered acknowledged, by {@linkcode ClientHandler.encode}. Default false. */
  readonly acknowledged?: boolean;
  /** Where the application leaves messages to the relay: whether the user gets its own. Default true. */
  readonly echo?: boolean;
}

/** Why the server ends a session. */
export type EndReason =
  /** The proxy stops. */
  | "shutting_down"
  /** The client reads too slowly. */
  | "slow_consumer"
  /** The client said nothing for too long. */
  | "keepalive_timeout"
  /** It did not authenticate in time. */
  | "authentication_timeout"
  /** What it authenticated by has run out. */
  | "authentication_expired"
  /** The same client identifier connected again. */
  | "taken_over"
  /** The proxy has as many sessions as it takes. */
  | "server_busy"
  /** The client's address has as many connections as it may. */
  | "too_many_connections"
  /** The client went on sending far faster than it may. */
  | "rate_exceeded"
  /** The application ended it. */
  | "kicked";

/** Limits that protocols keep to. */
export interface ClientLimits {
  /** Largest message body, in bytes, at most 1 MiB: of a string its UTF-8, of bytes their number, of any other value its JSON. */
  readonly maxMessageBytes: number;
  /** Bytes that a client may send before its session is open. */
  readonly maxHelloBytes: number;
  /** Longest room name, in bytes of UTF-8. */
  readonly maxRoomBytes: number;
  /** Unacknowledged deliveries to one client before further ones wait. */
  readonly maxInflight: number;
  /** Bytes that may wait for one client, unsent or kept back, before it is ended as too slow; default 1048576. */
  readonly maxQueuedBytes?: number;
  /** Milliseconds without a word from a client before it is asked or ended, where its protocol names no time itself. */
  readonly keepaliveMs: number;
}

/** What the proxy is to one connection's protocol. Every method is safe to call after the end; it then does nothing. */
export interface ClientChannel {
  /** The peer's address. */
  readonly remoteAddress: string;
  /** The upgrade request of a WebSocket; undefined on TCP. */
  readonly request: Request | undefined;
  /** Time and chance. */
  readonly clock: Clock;
  /** The limits in force. */
  readonly limits: ClientLimits;
  /** Where to count. */
  readonly metrics: Metrics;
  /** Where to report. */
  readonly log: Logger;
  /** Identifies the proxy; shared by all its channels. Key of what a protocol keeps per proxy. */
  readonly proxy: object;
  /** Whether the proxy does not read the client now: what it sends is not heard. */
  readonly paused: boolean;
  /**
   * Whether the client has sent as much as its rate allows. A protocol that finds several messages in what it was given
   * keeps the rest while this is so, until {@linkcode ClientHandler.resume}. What comes meanwhile waits behind it.
   */
  readonly held: boolean;
  /**
   * Counts what the client sent against its message rate. `join`, `leave` and `publish` count themselves; call it for
   * whatever else costs something, such as a ping or a request that cannot be read.
   */
  charge(): void;
  /** On a WebSocket: asks for a sign of life by a ping frame; the answer is {@linkcode ClientHandler.pong}. */
  ping(): void;
  /**
   * Says who the client is and opens the session. `data` is not called until the promise has settled (reading is
   * paused); what the call before it left over is the protocol's to keep.
   *
   * @param options `will`: the room that the client wants a will sent to, which it must be allowed to.
   * @returns the session, or why there is none. Never rejects.
   */
  open(credentials: GivenCredentials, options?: { will?: string }): Promise<OpenedSession | OpenRefusal>;
  /** Queues a chunk for this client; what is queued in a turn leaves in one write. */
  send(chunk: Chunk): void;
  /** Joins a room. `done` gets undefined when the user is in, else why not. Joining twice changes the options. */
  join(room: string, options: JoinOptions, done: (refusal: Refusal | undefined) => void): void;
  /** Has a join counted and logged that the protocol refuses itself, as one to a name that no room can have. */
  joinRefused(room: string, reason: Refusal): void;
  /** Leaves a room; leaving one that the user is not in does nothing. `done` is called when the user is out. */
  leave(room: string, done: () => void): void;
  /**
   * Sends a message to a room, joined or not. With `done` it is an acknowledged one: `done` gets undefined when it
   * has been taken everywhere, else why not. Without, it is sent at most once.
   *
   * @param will It is the client's will: the user must be allowed to have one sent to the room. Default false.
   */
  publish(room: string, body: Body, done?: (refusal: Refusal | undefined) => void, will?: boolean): void;
  /** Ends the connection after what was queued has been sent. `code` and `reason` are for WebSockets. */
  close(code?: number, reason?: string): void;
}

/** One connection's side of a protocol. */
export interface ClientHandler {
  /** The encoding for this client's unacknowledged deliveries; read after `open`, and then constant. */
  readonly encoding: Encoding;
  /** Bytes or a message from the client. Malformed input ends this connection by `channel.close`, never by a throw. */
  data(chunk: Chunk): void;
  /** The client is read again, and what was kept while {@linkcode ClientChannel.held} was so may be. */
  resume?(): void;
  /** Messages that are kept so; default 0. */
  readonly waiting?: number;
  /**
   * Encodes an acknowledged delivery for this client alone. Undefined: it has been kept back (the client has as many
   * unacknowledged ones as it may) and will be sent by `channel.send` in order, before anything encoded later.
   */
  encode(delivery: Delivery): Chunk | undefined;
  /** The room has moved to another server; `lost` says whether messages may have been lost. */
  moved(room: string, lost: boolean): void;
  /** The user is out of a room without having asked for it. */
  left(room: string, reason: string): void;
  /** A message that was sent without `done` was refused; for protocols that have a word for it. */
  refused?(room: string, refusal: Refusal): void;
  /** The server ends the session: say so in the protocol's words. The proxy closes the connection afterwards. */
  end(reason: EndReason): void;
  /** The client has answered a {@linkcode ClientChannel.ping}. */
  pong?(): void;
  /** The connection has ended. A will is published here, through `channel.publish`. */
  close(reason: CloseReason): void;
}

/** A protocol that users speak. */
export interface ClientProtocol {
  /** Name, for logs and metrics: `"mqtt"`, `"websocket"`. */
  readonly name: string;
  /** WebSocket subprotocols that it answers to, in order of preference; empty or absent: none needed. */
  readonly subprotocols?: readonly string[];
  /** Whether clients may come without any of the subprotocols; default false. */
  readonly subprotocolOptional?: boolean;
  /**
   * Reads a client's credentials from the request that opens its WebSocket, where all of them are in it: such a client is
   * authenticated, and if need be refused by HTTP, before the upgrade. What `open` is given then does not count.
   */
  readonly credentials?: (request: Request) => GivenCredentials;
  /**
   * What happens to a client that reads too slowly and has as many bytes queued as it may: `"drop"` leaves out
   * unacknowledged deliveries until there is room again, `"disconnect"` (the default) ends the session.
   */
  readonly slowConsumer?: "drop" | "disconnect";
  /** Takes a new connection. */
  accept(channel: ClientChannel): ClientHandler;
}
