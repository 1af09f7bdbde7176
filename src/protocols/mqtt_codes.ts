/**
 * The reason codes of MQTT 5 (section 2.4) and return codes of MQTT 3.1.1 that toychat uses.
 *
 * @module
 */
import type { EndReason, OpenRefusal, Refusal } from "./protocol.ts";

/** Version of the protocol: 4 is MQTT 3.1.1, 5 is MQTT 5. */
export type MqttVersion = 4 | 5;

/** Reason codes of MQTT 5 by what they say. */
export const REASON = {
  success: 0x00,
  disconnectWithWill: 0x04,
  noSubscriptionExisted: 0x11,
  unspecified: 0x80,
  malformedPacket: 0x81,
  protocolError: 0x82,
  implementationSpecific: 0x83,
  clientIdentifierNotValid: 0x85,
  badUserNameOrPassword: 0x86,
  notAuthorized: 0x87,
  serverUnavailable: 0x88,
  serverBusy: 0x89,
  serverShuttingDown: 0x8b,
  badAuthenticationMethod: 0x8c,
  keepAliveTimeout: 0x8d,
  sessionTakenOver: 0x8e,
  topicFilterInvalid: 0x8f,
  topicNameInvalid: 0x90,
  packetIdentifierNotFound: 0x92,
  receiveMaximumExceeded: 0x93,
  topicAliasInvalid: 0x94,
  packetTooLarge: 0x95,
  messageRateTooHigh: 0x96,
  quotaExceeded: 0x97,
  administrativeAction: 0x98,
  payloadFormatInvalid: 0x99,
  sharedSubscriptionsNotSupported: 0x9e,
  subscriptionIdentifiersNotSupported: 0xa1,
  wildcardSubscriptionsNotSupported: 0xa2,
} as const;

/** A PUBLISH is refused for what a channel says, or because its payload is not of the configured form. */
export type PublishRefusal = Refusal | "bad_payload";

/** The code of a refused PUBLISH in PUBACK or PUBREC. */
export const PUBLISH_CODE: Readonly<Record<PublishRefusal, number>> = {
  invalid_room: REASON.topicNameInvalid,
  too_large: REASON.quotaExceeded,
  too_many_rooms: REASON.quotaExceeded,
  server_full: REASON.quotaExceeded,
  room_full: REASON.quotaExceeded,
  unavailable: REASON.implementationSpecific,
  gone: REASON.implementationSpecific,
  listener_failed: REASON.unspecified,
  listener_timeout: REASON.unspecified,
  not_authorized: REASON.notAuthorized,
  bad_payload: REASON.payloadFormatInvalid,
};

/** The code of a refused join in SUBACK. */
export const SUBSCRIBE_CODE: Readonly<Record<Refusal, number>> = {
  invalid_room: REASON.topicFilterInvalid,
  too_large: REASON.unspecified,
  too_many_rooms: REASON.quotaExceeded,
  server_full: REASON.quotaExceeded,
  room_full: REASON.quotaExceeded,
  unavailable: REASON.implementationSpecific,
  gone: REASON.unspecified,
  listener_failed: REASON.unspecified,
  listener_timeout: REASON.unspecified,
  not_authorized: REASON.notAuthorized,
};

/** The code of CONNACK for each reason not to open a session. */
export const OPEN_CODE: Readonly<Record<OpenRefusal["refused"], number>> = {
  bad_credentials: REASON.badUserNameOrPassword,
  not_authorized: REASON.notAuthorized,
  unavailable: REASON.serverUnavailable,
  gone: REASON.unspecified,
};

/** The same in words, where the application gives none. */
export const OPEN_REASON: Readonly<Record<OpenRefusal["refused"], string>> = {
  bad_credentials: "the credentials were not accepted",
  not_authorized: "the user may not connect",
  unavailable: "the credentials could not be checked: try again",
  gone: "the session ended before it was open",
};

/** SUBACK's only refusal in MQTT 3.1.1. */
export const SUBSCRIBE_FAILURE_V4 = 0x80;

/** The code of DISCONNECT for each reason to end a session. */
export const END_CODE: Readonly<Record<EndReason, number>> = {
  shutting_down: REASON.serverShuttingDown,
  slow_consumer: REASON.quotaExceeded,
  keepalive_timeout: REASON.keepAliveTimeout,
  authentication_timeout: REASON.notAuthorized,
  authentication_expired: REASON.notAuthorized,
  taken_over: REASON.sessionTakenOver,
  kicked: REASON.administrativeAction,
  server_busy: REASON.serverBusy,
  too_many_connections: REASON.quotaExceeded,
  rate_exceeded: REASON.messageRateTooHigh,
};

/** The code of CONNACK for a session that ends before it is open. */
export function connackCode(reason: EndReason): number {
  return reason === "server_busy" || reason === "too_many_connections"
    ? END_CODE[reason]
    : REASON.serverUnavailable;
}

/** CONNACK's return code in MQTT 3.1.1 for a reason code of MQTT 5. */
export function connackReturnCode(reasonCode: number): number {
  switch (reasonCode) {
    case REASON.success:
      return 0;
    case REASON.clientIdentifierNotValid:
      return 2;
    case REASON.serverUnavailable:
    case REASON.serverBusy:
    case REASON.quotaExceeded:
      return 3;
    case REASON.badUserNameOrPassword:
      return 4;
    default:
      return 5;
  }
}

/** What the codes mean, in words for MQTT 5's Reason String. */
export const PUBLISH_REASON: Readonly<Record<PublishRefusal, string>> = {
  invalid_room:
    "the topic cannot be a room: no wildcards, no NUL, not empty, not beginning with $, not too long",
  too_large: "the message is larger than this server takes",
  too_many_rooms: "the session is in as many rooms as it may be",
  server_full: "the server of this room has as many rooms as it may",
  room_full: "as many users are in the room as may be",
  unavailable: "no server of the room took the message in time: send it again",
  gone: "the session ended before the message was done",
  listener_failed: "the application failed on this message",
  listener_timeout: "the application did not settle in time",
  not_authorized: "the user may not send to this room",
  bad_payload: "the payload is not valid JSON",
};
