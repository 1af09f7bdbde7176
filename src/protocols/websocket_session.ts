/**
 * One client that speaks JSON over WebSocket.
 *
 * @module
 */
import { utf8Bytes } from "../lib/body_size.ts";
import { errorMessage } from "../lib/errors.ts";
import type { CloseReason } from "../lib/transport.ts";
import { Keepalive } from "./keepalive.ts";
import type {
  Chunk,
  ClientChannel,
  ClientHandler,
  ClientLimits,
  Delivery,
  Encoding,
  EndReason,
  OpenedSession,
  OpenRefusal,
  Refusal,
} from "./protocol.ts";
import { requestCredentials } from "./request_credentials.ts";
import {
  complain,
  type Complaint,
  type MessageRequest,
  readRequest,
  type RefusedRequest,
  type WebSocketRequest,
} from "./websocket_messages.ts";

/** WebSocket close codes for each reason to end a session; those of 4000 and above end in the kindred HTTP status. */
export const CLOSE_CODES: Readonly<Record<EndReason, number>> = {
  shutting_down: 1001,
  slow_consumer: 1013,
  authentication_timeout: 4401,
  authentication_expired: 4401,
  kicked: 4403,
  keepalive_timeout: 4408,
  taken_over: 4409,
  server_busy: 1013,
  too_many_connections: 4429,
  rate_exceeded: 4429,
};

const TOO_LARGE = 1009;
/** The server could not do what it should have. */
const INTERNAL_ERROR = 1011;
/** What a message takes beside its body: JSON's own characters, and the room with every byte escaped as `\u0000`. */
const ENVELOPE_BYTES = 512;
const ESCAPED_BYTES = 6;
/** What a message that waits takes beside its characters: empty ones count too. */
const EARLY_OVERHEAD_BYTES = 64;

/** What is said and how it is closed where no session comes to be. */
const OPEN_REFUSALS = {
  bad_credentials: {
    code: "not_authenticated",
    close: 4401,
    text: "the user or token was not accepted: connect with ?user= and ?token=, or Authorization: Bearer",
  },
  not_authorized: { code: "not_authorized", close: 4403, text: "the user may not connect" },
  unavailable: {
    code: "unavailable",
    close: INTERNAL_ERROR,
    text: "the credentials could not be checked: try again",
  },
  gone: { code: "gone", close: INTERNAL_ERROR, text: "the session ended before it was open" },
} as const;

/** What a refusal means, and what to do. */
const REFUSAL_TEXT: Readonly<Record<Refusal, string>> = {
  invalid_room: "the room cannot have this name",
  too_large: "the message is too large: send a shorter one",
  too_many_rooms: "the session is in as many rooms as it may be: leave one first",
  unavailable: "no server of the room took it in time: try again",
  listener_failed: "the application failed on it",
  listener_timeout: "the application did not settle in time",
  not_authorized: "the user may not do this in this room",
  server_full: "the server of this room has as many rooms as it may: try again later",
  room_full: "as many users are in the room as may be: try again later",
  gone: "the user left the room, or the session ended, before it was done",
};

/** The handler of one WebSocket. */
export class WebSocketSession implements ClientHandler {
  /** Deliveries look the same to all clients. */
  readonly encoding: Encoding;
  readonly #channel: ClientChannel;
  #keepalive: Keepalive | undefined;
  #open = false;
  #ended = false;
  /** What came before the session was open. */
  #early: Chunk[] = [];
  #earlyBytes = 0;

  /** Opens the session for the user that the upgrade request names. */
  constructor(channel: ClientChannel, encoding: Encoding) {
    this.#channel = channel;
    this.encoding = encoding;
    channel.open(requestCredentials(channel.request)).then(
      (session) => this.#opened(session),
      (error) => this.#openFailed(error),
    );
  }

  #opened(session: OpenedSession | OpenRefusal): void {
    if (this.#ended) return;
    if ("refused" in session) {
      const { code, close, text } = OPEN_REFUSALS[session.refused];
      this.#send(complain(code, session.reason ?? text));
      return this.#close(close, code);
    }
    const { keepaliveMs } = this.#channel.limits;
    this.#open = true;
    this.#send({ type: "welcome", user: session.user, session: session.session });
    if (keepaliveMs > 0) {
      this.#keepalive = new Keepalive(this.#channel, keepaliveMs, () => this.#silent(), true);
    }
    this.#readEarly();
  }

  #readEarly(): void {
    while (!this.#ended && !this.#channel.held) {
      const chunk = this.#early.shift();
      if (chunk === undefined) return;
      this.data(chunk);
    }
  }

  /** What was kept is read on; while the client was not read, it was not silent. */
  resume(): void {
    if (!this.#open || this.#ended) return;
    this.#keepalive?.heard();
    this.#readEarly();
  }

  /** Messages that are kept. */
  get waiting(): number {
    return this.#early.length;
  }

  #openFailed(error: unknown): void {
    this.#channel.log("error", "websocket_open_failed", { error: errorMessage(error) });
    if (!this.#ended) this.#close(INTERNAL_ERROR, "the session could not be opened");
  }

  /** One message from the client. */
  data(chunk: Chunk): void {
    if (this.#ended) return;
    if (!this.#open) return this.#keepEarly(chunk);
    this.#keepalive?.heard();
    if (typeof chunk !== "string") {
      this.#channel.metrics.count("toychat_websocket_bad_messages_total");
      return this.#complain(
        complain("bad_message", "the message is binary: send JSON text, with bytes as base64"),
      );
    }
    const most = maxTextBytes(this.#channel.limits);
    if (chunk.length * 3 > most && utf8Bytes(chunk) > most) {
      this.#channel.metrics.count("toychat_messages_too_large_total");
      return this.#close(TOO_LARGE, `messages may take ${most} bytes`);
    }
    const request = readRequest(chunk, this.#channel.limits);
    if (request.type === "error") this.#complain(request);
    else if (request.type === "refused") this.#refuse(request);
    else this.#take(request);
  }

  /** What is refused before the proxy has heard of it is counted as what it refuses. */
  #refuse({ request, room, reason, answer }: RefusedRequest): void {
    if (request === "join") this.#channel.joinRefused(room, reason);
    if (request === "message") this.#countRefused(reason, answer.id);
    this.#complain(answer);
  }

  #countRefused(reason: Refusal, id: number | undefined): void {
    const { metrics } = this.#channel;
    if (reason === "too_large") metrics.count("toychat_messages_too_large_total");
    if (id !== undefined) metrics.count("toychat_websocket_publishes_refused_total", 1, { reason });
  }

  /** Says what is wrong with a message. */
  #complain(complaint: Complaint): void {
    const { metrics } = this.#channel;
    metrics.count("toychat_websocket_bad_messages_total");
    this.#channel.charge();
    this.#send(complaint);
  }

  #keepEarly(chunk: Chunk): void {
    this.#earlyBytes += chunk.length + EARLY_OVERHEAD_BYTES;
    if (this.#earlyBytes > this.#channel.limits.maxHelloBytes) {
      this.#channel.metrics.count("toychat_hellos_too_large_total");
      return this.#close(TOO_LARGE, "too much before the session is open: wait for welcome");
    }
    // The memory of bytes is their transport's.
    this.#early.push(typeof chunk === "string" ? chunk : new Uint8Array(chunk));
  }

  #take(request: WebSocketRequest): void {
    const channel = this.#channel;
    if (request.type === "ping") {
      channel.charge();
      return this.#send({ type: "pong" });
    }
    if (request.type === "message") return this.#publish(request);
    const { room, id } = request;
    if (request.type === "join") {
      channel.join(room, {}, (refusal) => this.#answer(refusal, id, { type: "joined", room, id }));
    } else {
      channel.leave(room, () => this.#send({ type: "left", room, id }));
    }
  }

  #publish({ room, body, id }: MessageRequest): void {
    if (id === undefined) return this.#channel.publish(room, body);
    this.#channel.publish(room, body, (refusal) => {
      if (refusal) this.#countRefused(refusal, id);
      this.#answer(refusal, id, { type: "ack", id });
    });
  }

  #answer(refusal: Refusal | undefined, id: number | undefined, good: object): void {
    this.#send(refusal === undefined ? good : complain(refusal, REFUSAL_TEXT[refusal], id));
  }

  /** The same text as for everyone: TCP is reliable, so clients acknowledge nothing. */
  encode(delivery: Delivery): Chunk {
    return this.encoding.encode(delivery);
  }

  /** `moved`. */
  moved(room: string, lost: boolean): void {
    this.#send({ type: "moved", room, lost });
  }

  /** `left`, with the reason. */
  left(room: string, reason: string): void {
    this.#send({ type: "left", room, reason });
  }

  /** `error` with the room, as there is no id. */
  refused(room: string, refusal: Refusal): void {
    this.#countRefused(refusal, undefined);
    this.#send({ type: "error", code: refusal, message: REFUSAL_TEXT[refusal], room });
  }

  /** The close code says it. */
  end(reason: EndReason): void {
    if (!this.#ended) this.#close(CLOSE_CODES[reason], reason);
  }

  /** The client has answered a ping. */
  pong(): void {
    this.#keepalive?.heard();
  }

  /** The connection is gone. */
  close(_reason: CloseReason): void {
    this.#ended = true;
    this.#early = [];
    this.#keepalive?.stop();
  }

  #silent(): void {
    this.#channel.metrics.count("toychat_keepalive_timeouts_total");
    this.end("keepalive_timeout");
  }

  #send(message: object): void {
    if (!this.#ended) this.#channel.send(JSON.stringify(message));
  }

  #close(code: number, reason: string): void {
    this.#ended = true;
    this.#early = [];
    this.#keepalive?.stop();
    this.#channel.close(code, reason);
  }
}

/** Longest text message that is read. A body may take all of the limit, as base64 or with escapes. */
function maxTextBytes(limits: ClientLimits): number {
  return limits.maxMessageBytes * 2 + limits.maxRoomBytes * ESCAPED_BYTES + ENVELOPE_BYTES;
}
