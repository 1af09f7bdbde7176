/**
 * JSON over WebSocket, version 1: one JSON object a text message, both ways.
 *
 * @module
 */
import type { ClientProtocol, Delivery, Encoding } from "./protocol.ts";
import { encodeBody } from "../lib/body.ts";
import { requestCredentials } from "./request_credentials.ts";
import { WebSocketSession } from "./websocket_session.ts";

/** Deliveries as `message` objects; the same text for every client. */
const encoding: Encoding = {
  stream: false,
  encode({ room, from, body }: Delivery): string {
    const { body: json, encoding } = encodeBody(body);
    return JSON.stringify({ type: "message", room, from, body: json, encoding });
  },
};

/**
 * The protocol JSON over WebSocket, version 1.
 *
 * The user is named by `?user=` of the upgrade request's URL, and proves itself by a token: `Authorization: Bearer`,
 * `?token=`, or a subprotocol `token.TOKEN` beside `toychat`, as browsers can set no header. Then the client joins and
 * leaves rooms and sends messages:
 *
 * ```json
 * { "type": "join", "room": "plaza", "id": 1 }
 * { "type": "message", "room": "plaza", "body": "hello", "id": 2 }
 * ```
 *
 * What it gets wrong is answered by an `error`, and never ends the connection. A client that says nothing for the
 * limit's keep-alive time is ended; `{"type":"ping"}` is enough.
 *
 * @example
 * ```ts
 * import { websocket } from "toychat";
 *
 * console.assert(websocket().name === "websocket");
 * ```
 */
export function websocket(): ClientProtocol {
  return {
    name: "websocket",
    subprotocols: ["toychat"],
    subprotocolOptional: true,
    credentials: requestCredentials,
    accept: (channel) => new WebSocketSession(channel, encoding),
  };
}
