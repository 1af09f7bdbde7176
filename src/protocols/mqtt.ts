/**
 * MQTT 3.1.1 and 5, over TCP and over WebSocket. A topic is a room.
 *
 * @module
 */
import { ToychatError } from "../lib/errors.ts";
import type { PayloadMode } from "./mqtt_payload.ts";
import { MqttSession } from "./mqtt_session.ts";
import type { ClientProtocol } from "./protocol.ts";

/** Options of {@linkcode mqtt}. */
export interface MqttOptions {
  /**
   * What payloads are to the application; default `"text"`: valid UTF-8 is a string, anything else bytes. With `"json"`
   * they are JSON values, with `"bytes"` always bytes.
   */
  readonly payload?: "text" | "json" | "bytes";
}

const MODES: readonly unknown[] = ["text", "json", "bytes"];

/**
 * The protocol MQTT, versions 3.1.1 and 5, for byte connections and for WebSockets with the subprotocol `mqtt`.
 *
 * A client joins a room by subscribing to the topic of that name. QoS 0 and 1 go both ways; a message with QoS 2 is
 * taken once, and subscriptions are granted 1 at most. There are no retained messages, wildcards, shared subscriptions
 * or sessions that outlive their connection; each is refused in MQTT's own terms, and never by dropping the client.
 *
 * @throws {ToychatError} `bad_option` where `payload` is none of the three.
 * @see https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html
 * @see http://docs.oasis-open.org/mqtt/mqtt/v3.1.1/mqtt-v3.1.1.html
 *
 * @example
 * ```ts
 * import { mqtt } from "toychat";
 *
 * const listen = [{ port: 1883, protocol: mqtt({ payload: "json" }) }];
 * console.assert(listen[0]?.protocol.name === "mqtt");
 * ```
 */
export function mqtt(options: MqttOptions = {}): ClientProtocol {
  const mode: PayloadMode = options.payload ?? "text";
  if (!MODES.includes(mode)) {
    throw new ToychatError("bad_option", `payload is ${JSON.stringify(mode)}: use "text", "json" or "bytes"`);
  }
  return {
    name: "mqtt",
    subprotocols: ["mqtt"],
    slowConsumer: "drop",
    accept: (channel) => new MqttSession(channel, mode),
  };
}
