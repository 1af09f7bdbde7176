/**
 * SUBSCRIBE and UNSUBSCRIBE: joining and leaving rooms.
 *
 * @module
 */
import type { Refusal } from "./protocol.ts";
import { REASON, SUBSCRIBE_CODE, SUBSCRIBE_FAILURE_V4 } from "./mqtt_codes.ts";
import type { Filter, SubscribePacket, UnsubscribePacket } from "./mqtt_packets.ts";
import type { MqttPeer } from "./mqtt_peer.ts";
import { isRoomName } from "./room_name.ts";

/** The topic on which a client hears that a room has moved; the only one beginning with `$` that it may subscribe to. */
export const MOVED_TOPIC = "$toychat/moved";

const SHARED_PREFIX = "$share/";

/** The rooms that a client has subscribed to. */
export class MqttSubscriptions {
  readonly #peer: MqttPeer;
  readonly #rooms: Set<string> = new Set();
  #moved = false;

  /** Makes the subscriptions of a client. */
  constructor(peer: MqttPeer) {
    this.#peer = peer;
  }

  /** Whether the client wants to hear of rooms that move. */
  get wantsMoved(): boolean {
    return this.#moved;
  }

  /** The user is out of a room without having asked. */
  forget(room: string): void {
    this.#rooms.delete(room);
  }

  /** SUBSCRIBE: SUBACK goes out when every join has been answered. */
  subscribe(packet: SubscribePacket): void {
    const granted = new Array<number>(packet.filters.length).fill(REASON.unspecified);
    let open = packet.filters.length;
    packet.filters.forEach((filter, index) => {
      this.#join(filter, packet.identified, (code) => {
        granted[index] = code;
        if (--open === 0) this.#peer.sendPacket({ cmd: "suback", messageId: packet.messageId, granted });
      });
    });
  }

  #join(filter: Filter, identified: boolean, answer: (code: number) => void): void {
    const { channel, version } = this.#peer;
    const refuse = (code: number) => {
      channel.metrics.count("toychat_mqtt_subscriptions_refused_total");
      answer(version === 5 ? code : SUBSCRIBE_FAILURE_V4);
    };
    const { topic } = filter;
    const bad = (code: number) => {
      channel.charge();
      refuse(code);
    };
    if (identified) return bad(REASON.subscriptionIdentifiersNotSupported);
    if (topic === MOVED_TOPIC) {
      channel.charge();
      this.#moved = true;
      return answer(0);
    }
    const problem = filterProblem(topic, channel.limits.maxRoomBytes);
    if (problem !== undefined) {
      channel.metrics.count("toychat_mqtt_invalid_topics_total");
      channel.joinRefused(topic, "invalid_room");
      return bad(problem);
    }
    const qos = Math.min(filter.qos, 1);
    const known = this.#rooms.has(topic);
    this.#rooms.add(topic);
    channel.join(
      topic,
      { acknowledged: qos === 1, echo: !filter.noLocal },
      (refusal: Refusal | undefined) => {
        if (refusal === undefined) return answer(qos);
        if (!known) this.#rooms.delete(topic);
        refuse(SUBSCRIBE_CODE[refusal]);
      },
    );
  }

  /** UNSUBSCRIBE: UNSUBACK goes out when the user is out of every room. */
  unsubscribe(packet: UnsubscribePacket): void {
    const granted = new Array<number>(packet.topics.length).fill(REASON.success);
    let open = packet.topics.length;
    packet.topics.forEach((topic, index) => {
      this.#leave(topic, (code) => {
        granted[index] = code;
        if (--open === 0) this.#peer.sendPacket({ cmd: "unsuback", messageId: packet.messageId, granted });
      });
    });
  }

  #leave(topic: string, answer: (code: number) => void): void {
    const { channel } = this.#peer;
    if (this.#rooms.delete(topic)) return channel.leave(topic, () => answer(REASON.success));
    channel.charge();
    const moved = topic === MOVED_TOPIC && this.#moved;
    if (moved) this.#moved = false;
    answer(moved ? REASON.success : REASON.noSubscriptionExisted);
  }
}

/** The code for a filter that cannot be a room. */
function filterProblem(topic: string, maxRoomBytes: number): number | undefined {
  if (topic.startsWith(SHARED_PREFIX)) return REASON.sharedSubscriptionsNotSupported;
  if (topic.includes("+") || topic.includes("#")) return REASON.wildcardSubscriptionsNotSupported;
  return isRoomName(topic, maxRoomBytes) ? undefined : REASON.topicFilterInvalid;
}
