/**
 * Deliveries as MQTT packets, encoded once for all sessions that read the same bytes.
 *
 * @module
 */
import type { Metrics } from "../lib/metrics.ts";
import type { MqttVersion } from "./mqtt_codes.ts";
import { publishBatch, publishFrame, type PublishTemplate } from "./mqtt_frames.ts";
import { encodePayload, type PayloadMode, payloadOf } from "./mqtt_payload.ts";
import type { ClientChannel, Delivery, Encoding } from "./protocol.ts";

const NOTHING = new Uint8Array(0);
/** A client that takes packets of this size takes every one: links carry no message so large. */
const UNBOUNDED_BYTES = 1 << 24;
/** Different bounds whose encodings are shared on one proxy; clients choose them. */
const BOUNDS_KEPT = 64;

/** Deliveries as PUBLISH packets, for all sessions of one version and payload mode. */
export class MqttEncoding implements Encoding {
  /** PUBLISH packets may be joined. */
  readonly stream = true;
  /** The version that it writes. */
  readonly version: MqttVersion;
  readonly #mode: PayloadMode;
  // The last delivery is kept in both forms: its many receivers come one after the other.
  #delivery: Delivery | undefined;
  #frame: Uint8Array = NOTHING;
  #ackedDelivery: Delivery | undefined;
  #template: PublishTemplate = { bytes: NOTHING, idAt: 0 };

  /** Makes an encoding for one version and payload mode. */
  constructor(version: MqttVersion, mode: PayloadMode) {
    this.version = version;
    this.#mode = mode;
  }

  /** A delivery as a PUBLISH with QoS 0. */
  encode(delivery: Delivery): Uint8Array {
    if (this.#delivery !== delivery) {
      const payload = encodePayload(delivery.body, this.#mode);
      this.#frame = publishFrame(this.version, delivery.room, payload, 0).bytes;
      this.#delivery = delivery;
    }
    return this.#frame;
  }

  /** Deliveries as PUBLISH packets with QoS 0, one behind the other. */
  encodeAll(deliveries: readonly Delivery[]): Uint8Array {
    const batch = publishBatch(this.version);
    for (const { room, body } of deliveries) batch.add(room, payloadOf(body, this.#mode));
    return batch.take();
  }

  /** A delivery as a PUBLISH with QoS 1, without its packet identifier. */
  template(delivery: Delivery): PublishTemplate {
    if (this.#ackedDelivery !== delivery) {
      const payload = encodePayload(delivery.body, this.#mode);
      this.#template = publishFrame(this.version, delivery.room, payload, 1);
      this.#ackedDelivery = delivery;
    }
    return this.#template;
  }
}

/** The encoding of clients that take only packets up to a size: a longer delivery is an empty chunk, and counted. */
export class BoundedEncoding implements Encoding {
  /** PUBLISH packets may be joined. */
  readonly stream = true;
  readonly #shared: MqttEncoding;
  readonly #maxBytes: number;
  readonly #metrics: Metrics;

  /** Bounds what `shared` gives to `maxBytes`. */
  constructor(shared: MqttEncoding, maxBytes: number, metrics: Metrics) {
    this.#shared = shared;
    this.#maxBytes = maxBytes;
    this.#metrics = metrics;
  }

  /** A delivery as a PUBLISH with QoS 0, empty where it is too long for the client. */
  encode(delivery: Delivery): Uint8Array {
    const frame = this.#shared.encode(delivery);
    if (frame.length <= this.#maxBytes) return frame;
    this.#metrics.count("toychat_mqtt_deliveries_too_large_total");
    return NOTHING;
  }
}

const encodings = new Map<string, MqttEncoding>();
const boundedByProxy = new WeakMap<object, Map<string, BoundedEncoding>>();

/** The encoding of one version and payload mode; the same object for all who ask. */
export function sharedEncoding(version: MqttVersion, mode: PayloadMode): MqttEncoding {
  const key = `${version} ${mode}`;
  let encoding = encodings.get(key);
  if (encoding === undefined) encodings.set(key, encoding = new MqttEncoding(version, mode));
  return encoding;
}

/** The encoding for a client that takes packets of up to `maxBytes`, shared with its like on the same proxy. */
export function boundedEncoding(
  version: MqttVersion,
  mode: PayloadMode,
  maxBytes: number,
  channel: ClientChannel,
): Encoding {
  const shared = sharedEncoding(version, mode);
  if (maxBytes >= UNBOUNDED_BYTES) return shared;
  let known = boundedByProxy.get(channel.proxy);
  if (known === undefined) boundedByProxy.set(channel.proxy, known = new Map());
  const key = `${version} ${mode} ${maxBytes}`;
  const found = known.get(key);
  if (found !== undefined) return found;
  const bounded = new BoundedEncoding(shared, maxBytes, channel.metrics);
  if (known.size < BOUNDS_KEPT) known.set(key, bounded);
  return bounded;
}
