/**
 * Every metric that toychat's roles have: a row for each name that the source counts. `docs/operations.md` has the same
 * rows, and says what to do about them; a test holds the three together.
 *
 * @module
 */
import type { MetricKind } from "../lib/metrics.ts";
import { BRIDGE_COUNTERS, BRIDGE_GAUGES, type MetricRow } from "./metric_rows.ts";

/** What is known of a metric. */
export interface MetricInfo {
  /** Its name. */
  readonly name: string;
  /** What its numbers are. */
  readonly kind: MetricKind;
  /** Who has it: `proxy`, `chat`, `bridge`, `member` (a connection to the bridge) or `process`. */
  readonly roles: readonly string[];
  /** What it says; one sentence. */
  readonly help: string;
  /** The label whose values are known beforehand, where there is one. */
  readonly label: string | undefined;
  /** Those values. */
  readonly values: readonly string[];
}

const REFUSALS = "invalid_room too_large too_many_rooms unavailable listener_failed listener_timeout " +
  "not_authorized server_full room_full gone";

const COUNTERS: readonly MetricRow[] = [
  // Users' connections.
  ["toychat_connections_total", "proxy", "Connections of users taken in.", "protocol", "mqtt websocket"],
  [
    "toychat_sessions_ended_total",
    "proxy",
    "Sessions that the proxy ended.",
    "reason",
    "shutting_down slow_consumer keepalive_timeout authentication_timeout authentication_expired " +
    "server_busy too_many_connections rate_exceeded taken_over kicked",
  ],
  ["toychat_authentication_timeouts_total", "proxy", "Clients that did not say in time who they are."],
  ["toychat_keepalive_timeouts_total", "proxy", "Clients that fell silent."],
  ["toychat_origins_refused_total", "proxy", "WebSockets refused because of the page's origin."],
  ["toychat_joins_refused_total", "proxy", "Joins that were refused or failed.", "reason", REFUSALS],
  [
    "toychat_websocket_bad_messages_total",
    "proxy",
    "Messages on JSON over WebSocket that were malformed, or for a room that cannot be, or too long.",
  ],
  [
    "toychat_websocket_publishes_refused_total",
    "proxy",
    "Messages on JSON over WebSocket with an id that were refused or failed.",
    "reason",
    REFUSALS,
  ],
  // MQTT.
  ["toychat_mqtt_client_errors_total", "proxy", "MQTT connections ended because of what the client sent."],
  ["toychat_mqtt_connects_refused_total", "proxy", "CONNECT packets refused."],
  [
    "toychat_mqtt_publishes_refused_total",
    "proxy",
    "PUBLISH packets and wills refused or failed.",
    "reason",
    REFUSALS + " bad_payload",
  ],
  ["toychat_mqtt_subscriptions_refused_total", "proxy", "Topic filters refused in SUBSCRIBE packets."],
  [
    "toychat_mqtt_invalid_topics_total",
    "proxy",
    "Topics, and filters of SUBSCRIBE, that are no room's name.",
  ],
  ["toychat_mqtt_packets_too_large_total", "proxy", "Packets not sent as the client takes none so large."],
  [
    "toychat_mqtt_deliveries_too_large_total",
    "proxy",
    "Deliveries left out as the client takes none so large.",
  ],
  ["toychat_mqtt_repeated_publishes_total", "proxy", "PUBLISH packets that clients marked as repeated."],
  ["toychat_mqtt_retain_ignored_total", "proxy", "Messages whose retain flag was ignored."],
  [
    "toychat_mqtt_sessions_taken_over_total",
    "proxy",
    "Sessions ended by another one of the same client identifier.",
  ],
  [
    "toychat_mqtt_unacknowledging_clients_total",
    "proxy",
    "Clients ended as they did not acknowledge deliveries.",
  ],
  // Messages.
  ["toychat_messages_in_total", "proxy", "Messages from users."],
  ["toychat_messages_out_total", "proxy", "Messages from ChatServers for rooms with members here."],
  ["toychat_messages_accepted_total", "chat", "Messages accepted for good."],
  [
    "toychat_messages_refused_total",
    "proxy chat",
    "Messages that an owner did not accept; they go out again.",
  ],
  ["toychat_messages_expired_total", "chat", "Messages whose room did not open in time."],
  [
    "toychat_messages_failed_total",
    "proxy chat",
    "Messages that failed for good; their senders were told where they asked.",
    "reason",
    "unavailable listener_failed listener_timeout",
  ],
  ["toychat_messages_redelivered_total", "proxy chat", "Messages sent again as their owner had gone."],
  [
    "toychat_messages_lost_total",
    "proxy chat",
    "Unacknowledged messages that a lost owner may not have taken.",
  ],
  [
    "toychat_duplicates_dropped_total",
    "proxy chat",
    "Repeats of messages that were recognised and left out.",
  ],
  [
    "toychat_stale_frames_total",
    "proxy",
    "Frames about a room from a ChatServer that does not own it any more.",
  ],
  [
    "toychat_sends_to_closed_rooms_total",
    "chat",
    "Sends of the application to rooms that are not open here.",
  ],
  ["toychat_sends_dropped_total", "chat", "Sends of the application left out as too much was under way."],
  [
    "toychat_listener_errors_total",
    "proxy chat",
    "Listeners of the application that threw or timed out.",
    "event",
    "connect disconnect join leave message",
  ],
  ["toychat_listener_timeouts_total", "chat", "Async listeners that did not settle in time."],
  // Rooms and their moves.
  [
    "toychat_rooms_opened_total",
    "chat",
    "Rooms opened.",
    "reason",
    "first-join failover hand-off",
  ],
  [
    "toychat_rooms_closed_total",
    "chat",
    "Rooms closed.",
    "reason",
    "idle hand-off merged lease-lost stopped",
  ],
  ["toychat_rooms_moved_total", "proxy", "Moves of rooms with members here.", "lost", "false true"],
  ["toychat_handoffs_total", "chat", "Rooms handed off, by outcome.", "outcome", "taken refused abandoned"],
  ["toychat_handoffs_late_total", "chat", "Hand-offs refused as the room was open already."],
  ["toychat_rooms_merged_total", "chat", "Lives of rooms that ended elsewhere as the room is open here."],
  // The cluster.
  ["toychat_view_changes_total", "proxy chat", "New lists of members."],
  ["toychat_leases_lost_total", "proxy chat", "Leases lost and taken again."],
  ["toychat_links_opened_total", "proxy chat", "Links opened."],
  ["toychat_links_refused_total", "proxy chat", "Links refused: wrong secret, cluster, version or process."],
  ["toychat_links_reset_total", "proxy chat", "Links that ended for good."],
  ["toychat_links_resumed_total", "proxy chat", "Links that went on over a new connection."],
  ["toychat_link_connections_lost_total", "proxy chat", "Connections that links lost."],
  ["toychat_link_dials_failed_total", "proxy chat", "Attempts to connect a link that failed."],
  [
    "toychat_link_handshakes_failed_total",
    "chat",
    "Connections of links that ended before they were proven.",
  ],
  ["toychat_link_frames_sent_total", "proxy chat", "Frames sent on links."],
  ["toychat_link_frames_received_total", "proxy chat", "Frames received on links."],
  // Limits and trust.
  [
    "toychat_rate_limited_total",
    "proxy",
    "Times that a session was not read for a while as it sent faster than it may.",
  ],
  ["toychat_rate_exceeded_total", "proxy", "Sessions ended as they sent far faster than they may."],
  [
    "toychat_slow_consumers_total",
    "proxy",
    "Sessions ended as they did not read fast enough.",
  ],
  [
    "toychat_deliveries_dropped_total",
    "proxy",
    "Deliveries left out, unacknowledged ones, as the session had too much waiting.",
  ],
  [
    "toychat_sessions_refused_total",
    "proxy",
    "Clients turned away as the proxy has as many sessions as it may.",
  ],
  [
    "toychat_address_connections_refused_total",
    "proxy",
    "Clients turned away as their address has as many connections as it may.",
  ],
  [
    "toychat_unauthenticated_evicted_total",
    "proxy",
    "Connections ended as too many had not said who they are.",
  ],
  [
    "toychat_hellos_too_large_total",
    "proxy",
    "Connections ended as they sent too many bytes before saying who they are.",
  ],
  ["toychat_messages_too_large_total", "proxy chat", "Messages refused as they are larger than they may be."],
  [
    "toychat_senders_pushed_back_total",
    "proxy chat",
    "Times that a sender was not read on as too much of its was under way.",
  ],
  [
    "toychat_rooms_pushed_back_total",
    "chat",
    "Times that a room waited as a proxy with members in it had too much outstanding.",
  ],
  ["toychat_authentications_refused_total", "proxy", "Clients whose credentials were refused."],
  [
    "toychat_authentications_expired_total",
    "proxy",
    "Sessions ended as what they were let in by has expired.",
  ],
  [
    "toychat_authentication_failures_total",
    "proxy",
    "Times that `authenticate` threw or did not answer in time.",
  ],
  ["toychat_authorizations_refused_total", "proxy", "Joins, messages and wills that `authorize` refused."],
  [
    "toychat_authorization_failures_total",
    "proxy",
    "Times that `authorize` threw or did not answer in time.",
  ],
  [
    "toychat_mqtt_takeovers_refused_total",
    "proxy",
    "MQTT connections refused as another user has their client identifier.",
  ],
  [
    "toychat_link_handshakes_evicted_total",
    "chat",
    "Connections of links ended as too many had not proven the secret.",
  ],
  ["toychat_rooms_refused_total", "chat", "Rooms not opened as the ChatServer has as many as it may."],
  ["toychat_room_members_refused_total", "chat", "Joins refused as the room has as many members as it may."],
  [
    "toychat_frames_forbidden_total",
    "chat",
    "Links ended as the peer said what it may not, such as a word for a session that is not its own.",
  ],
  // The process.
  [
    "toychat_log_events_suppressed_total",
    "process",
    "Log events left out as there were too many of their name.",
  ],
  ["process_cpu_seconds_total", "process", "Processor time, user and system."],
];

const GAUGES: readonly MetricRow[] = [
  [
    "toychat_build_info",
    "proxy chat bridge",
    "Always 1; its labels say the id, the runtime and the version.",
    "id",
  ],
  ["toychat_sessions", "proxy", "Connections of users."],
  ["toychat_users", "chat", "Sessions with a room here."],
  ["toychat_rooms", "proxy chat", "Rooms with members here (proxy), open here (ChatServer)."],
  ["toychat_rooms_handing_over", "chat", "Rooms on their way to another ChatServer."],
  ["toychat_messages_pending", "proxy", "Messages that are not accepted or not acknowledged yet."],
  ["toychat_messages_pending_bytes", "proxy", "Roughly what these take in memory."],
  ["toychat_senders_pushed_back", "proxy", "Sessions that are not read as too much of theirs is under way."],
  ["toychat_members", "proxy chat bridge", "Members in the list.", "member_role"],
  ["toychat_links", "proxy chat", "Open links, dialled (out) or taken (in).", "direction"],
  ["toychat_lease_held", "chat", "1 while the ChatServer may accept messages."],
  ["toychat_unauthenticated_connections", "proxy", "Connections that have not been let in yet."],
  ["toychat_authentications_pending", "proxy", "Questions to `authenticate` that are open."],
  ["toychat_authorizations_pending", "proxy", "Questions to `authorize` that are open."],
  ["process_start_time_seconds", "process", "When the process started, in seconds since 1970."],
  ["process_resident_memory_bytes", "process", "Memory that the process holds."],
  ["process_heap_bytes", "process", "Memory that JavaScript uses."],
  ["process_open_fds", "process", "Open files and sockets; Linux alone."],
];

const HISTOGRAMS: readonly MetricRow[] = [
  [
    "toychat_acknowledgement_seconds",
    "proxy chat",
    "From an acknowledged message's coming in to its acknowledgement; failures left out.",
  ],
  ["toychat_room_move_seconds", "proxy", "How long a room with members here had no owner.", "lost"],
  [
    "toychat_room_opening_seconds",
    "chat",
    "From the first word of a room to its opening here.",
    "reason",
  ],
  ["toychat_handoff_seconds", "chat", "From letting a room go to its next owner's having it."],
  ["toychat_listener_seconds", "chat", "How long async listeners took to settle."],
  ["process_event_loop_delay_seconds", "process", "How late a timer of 250 ms fired."],
];

/** Every metric by its name. */
export const CATALOGUE: ReadonlyMap<string, MetricInfo> = new Map([
  ...[...COUNTERS, ...BRIDGE_COUNTERS].map((row) => entry("counter", row)),
  ...[...GAUGES, ...BRIDGE_GAUGES].map((row) => entry("gauge", row)),
  ...HISTOGRAMS.map((row) => entry("histogram", row)),
]);

function entry(kind: MetricKind, [name, roles, help, label, values]: MetricRow): [string, MetricInfo] {
  return [name, { name, kind, roles: roles.split(" "), help, label, values: values?.split(" ") ?? [] }];
}
