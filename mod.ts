/**
 * toychat: rooms for chat and games on many servers, for users on MQTT and WebSocket, whose sockets survive the death
 * of the server that owns their room.
 *
 * A {@linkcode ProxyServer} holds users' connections. A {@linkcode ChatServer} owns rooms and runs your listeners. A
 * {@linkcode Membership} tells both who is in the cluster. A {@linkcode Transport}, from `./bun`, `./deno`, `./node` or
 * `./system`, gives them sockets.
 *
 * Where to begin: the events of a ChatServer are {@linkcode ChatEvents}, those of a proxy {@linkcode ProxyEvents}.
 * {@linkcode LocalMembership} serves one process; for several, start a {@linkcode Bridge} and give each a
 * {@linkcode BridgeMembership}, or leave that to the command line (`./cli`). {@linkcode mqtt} is for TCP ports;
 * {@linkcode serveHttp} adds MQTT and JSON over WebSocket, and {@linkcode proxyApp} mounts both in your own web
 * application. A protocol of your own is a {@linkcode ClientProtocol}. Limits and their defaults are in
 * {@linkcode CHAT_LIMITS} and {@linkcode PROXY_LIMITS}.
 *
 * @example One process with everything
 * ```ts
 * import { ChatServer, LocalMembership, mqtt, ProxyServer, serveHttp } from "toychat";
 * import { systemTransport } from "toychat/system";
 *
 * const transport = await systemTransport();
 * const membership = new LocalMembership();
 *
 * const chat = new ChatServer({ membership, transport });
 * chat.on("message", (user, room, body) => {
 *   chat.broadcast(room, body, { except: user });
 * });
 * await chat.start();
 *
 * const proxy = new ProxyServer({ membership, transport, listen: [{ port: 1883, protocol: mqtt() }] });
 * await proxy.start();
 * await serveHttp(proxy, { port: 8080 });
 * ```
 *
 * @module
 */
export { ChatServer } from "./src/chat/chat_server.ts";
export type { ChatUser, OpenReason, RoomCloseReason, RoomInfo, RoomMerge } from "./src/chat/chat_user.ts";
export type { AnyTypes, ChatEvents, ClusterTypes } from "./src/chat/events.ts";
export { CHAT_LIMITS, type ChatLimits, type ChatServerOptions } from "./src/chat/options.ts";
export { ProxyServer } from "./src/proxy/proxy_server.ts";
export type { TurnAway } from "./src/proxy/admission.ts";
export type { ProxyEvents, ProxyUser } from "./src/proxy/events.ts";
export {
  PROXY_LIMITS,
  type ProxyLimits,
  type ProxyListen,
  type ProxyListening,
  type ProxyServerOptions,
} from "./src/proxy/options.ts";
export type { RouterLimits } from "./src/link/router_limits.ts";
export { mqtt, type MqttOptions } from "./src/protocols/mqtt.ts";
export { websocket } from "./src/protocols/websocket.ts";
export { isRoomName, roomNameProblem } from "./src/protocols/room_name.ts";
export type {
  Chunk,
  ClientChannel,
  ClientHandler,
  ClientLimits,
  ClientProtocol,
  Delivery,
  Encoding,
  EndReason,
  JoinOptions,
  OpenedSession,
  OpenRefusal,
  Refusal,
} from "./src/protocols/protocol.ts";
export { type FetchApp, healthApp, type HealthOptions, type Observed } from "./src/http/health.ts";
export { maxPayloadOf, proxyApp, type ProxyAppOptions } from "./src/http/proxy_app.ts";
export type {
  Authenticate,
  AuthenticatedUser,
  AuthenticateResult,
  AuthenticationRefusal,
  Authorize,
  AuthorizedAction,
  Credentials,
  GivenCredentials,
  User,
} from "./src/protocols/credentials.ts";
export type { Origins } from "./src/http/origins.ts";
export { serveHttp, type ServeHttpOptions } from "./src/http/serve_http.ts";
export { Bridge, type BridgeOptions, type BridgeSerfOptions } from "./src/http/bridge.ts";
export { BRIDGE_LIMITS, type BridgeLimits } from "./src/membership/bridge_limits.ts";
export type {
  AgentAnswers,
  AgentEvent,
  AgentMember,
  AgentQuery,
  AgentStatus,
  BridgeAgent,
  OnPartition,
} from "./src/membership/bridge_agent.ts";
export { bridgeToken, type BridgeTokenOptions } from "./src/membership/bridge_tokens.ts";
export type { Scope } from "./src/membership/rpc_scope.ts";
export type { Lease, MemberInfo, Membership } from "./src/membership/membership.ts";
export type { Member, MemberState, Role, View } from "./src/membership/view.ts";
export type { Placement } from "./src/membership/placement.ts";
export { LocalMembership, type LocalMembershipOptions } from "./src/membership/local.ts";
export { SerfMembership, type SerfMembershipOptions } from "./src/membership/serf/serf_membership.ts";
export { BridgeMembership, type BridgeMembershipOptions } from "./src/membership/bridge_client.ts";
export type { Body, EncodedBody, Json } from "./src/lib/body.ts";
export { type Cancel, type Clock, systemClock } from "./src/lib/clock.ts";
export type { Listener } from "./src/lib/emitter.ts";
export { ToychatError } from "./src/lib/errors.ts";
export { type LogFields, type Logger, type LogLevel, noLog } from "./src/lib/log.ts";
export { limitLog, type LogLimitOptions } from "./src/lib/log_limit.ts";
export {
  type Counter,
  type Histogram,
  type Labels,
  type MetricFamily,
  type MetricKind,
  Metrics,
  type MetricSample,
} from "./src/lib/metrics.ts";
export type { Readiness } from "./src/lib/readiness.ts";
export type {
  Address,
  AsyncContext,
  ClientTlsOptions,
  CloseKind,
  CloseReason,
  Connection,
  ConnectionHandler,
  ConnectOptions,
  FetchHandler,
  HandshakeOptions,
  ListenOptions,
  ListenSocket,
  ServeEnvironment,
  ServeOptions,
  TcpAddress,
  TlsOptions,
  Transport,
  UpgradeOptions,
} from "./src/lib/transport.ts";
