/**
 * What bridges count, and what processes count of their connections to a bridge or an agent: part of the catalogue of metrics.
 *
 * @module
 */

/** A metric: its name, whose it is, what it says, and a label with the values that are known beforehand. */
export type MetricRow = readonly [name: string, roles: string, help: string, label?: string, values?: string];

/** Counters. */
export const BRIDGE_COUNTERS: readonly MetricRow[] = [
  ["toychat_bridge_connects_total", "member", "Connections to the bridge."],
  [
    "toychat_bridge_connection_failures_total",
    "member",
    "Connections to the bridge that failed or were lost.",
  ],
  ["toychat_member_registrations_total", "bridge", "Registrations of members.", "member_role", "chat proxy"],
  [
    "toychat_member_withdrawals_total",
    "bridge",
    "Members withdrawn.",
    "reason",
    "closed left silent sealed conflict absent full",
  ],
  [
    "toychat_bridge_refusals_total",
    "bridge",
    "Callers refused who did not prove to belong to the cluster.",
    "reason",
    "unauthorized wrong_cluster wrong_secret unproved_timeout wrong_token origin too_many_connections",
  ],
  ["toychat_serf_connects_total", "bridge member", "Connections to the Serf agent."],
  [
    "toychat_serf_connection_failures_total",
    "bridge member",
    "Connections to the Serf agent that failed or were lost.",
    "reason",
    "unreachable connection_lost timeout auth_refused bad_reply refused",
  ],
  [
    "toychat_serf_calls_total",
    "bridge member",
    "Calls to the Serf agent, by how they ended.",
    "outcome",
    "ok refused timeout lost",
  ],
  [
    "toychat_serf_events_total",
    "bridge member",
    "What the Serf agent's stream told.",
    "kind",
    "member user query",
  ],
  [
    "toychat_bridge_connections_refused_total",
    "bridge",
    "Connections refused as the bridge has as many as it may.",
  ],
  [
    "toychat_bridge_unproved_evicted_total",
    "bridge",
    "Connections ended as too many had not proven the secret.",
  ],
  [
    "toychat_serf_foreign_tags_total",
    "bridge member",
    "Times that the host's agent published what somebody else had written in this process's place.",
  ],
  ["toychat_serf_publications_total", "bridge member", "Times that the members of this host were published."],
  [
    "toychat_serf_publication_failures_total",
    "bridge member",
    "Publications that failed; they are tried again.",
  ],
  [
    "toychat_member_conflicts_total",
    "bridge member",
    "Members of this host that lost their id or their slot to one of another host.",
    "what",
  ],
  [
    "toychat_silent_members_total",
    "bridge member",
    "Members of hosts without a bridge that were found dead, or alive again.",
    "verdict",
  ],
  ["toychat_seals_total", "bridge member", "Times that this host has lost the majority, and sealed."],
  ["toychat_bridge_requests_total", "bridge", "Requests by JSON-RPC.", "method"],
  [
    "toychat_bridge_requests_refused_total",
    "bridge",
    "Requests refused as the caller may not, or asks for too much at a time.",
    "reason",
    "forbidden too_many_calls too_many_waiters too_many_subscriptions too_many_agent_calls",
  ],
  [
    "toychat_bridge_notifications_left_out_total",
    "bridge",
    "Notifications that slow subscribers were not sent.",
    "what",
    "view event",
  ],
  ["toychat_bridge_events_total", "bridge", "User events of applications that came by way of Serf."],
  ["toychat_bridge_queries_total", "bridge", "Queries of applications that were shown to a subscriber."],
];

/** Gauges. */
export const BRIDGE_GAUGES: readonly MetricRow[] = [
  ["toychat_bridge_connected", "member", "1 while there is a connection to the bridge."],
  ["toychat_serf_connected", "bridge member", "1 while there is a connection to the Serf agent."],
  [
    "toychat_serf_hosts",
    "bridge member",
    "Agents that the own one knows, by what it thinks of them.",
    "status",
  ],
  [
    "toychat_sealed",
    "bridge member",
    "1 while the ChatServers of this host may not accept, as it hears too few others.",
  ],
  ["toychat_bridge_connections", "bridge", "Connections of members and readers."],
  ["toychat_bridge_waiting_requests", "bridge", "Requests that wait for a change."],
];
