/**
 * The bridge's methods for user events and queries of applications.
 *
 * @module
 */
import { ToychatError } from "../lib/errors.ts";
import type { AgentCalls } from "./agent_calls.ts";
import { type Caller, type Methods, type MethodsHost, sessionOf } from "./rpc_method.ts";
import type { BridgeSession } from "./bridge_session.ts";
import type { RpcParams } from "./json_rpc.ts";
import {
  invalidParams,
  readList,
  readName,
  readPayload,
  readPrefix,
  readSince,
  readWait,
  showPayload,
} from "./rpc_params.ts";

/** Bytes of name and payload together: Serf's 512 for a user event and 1024 for a query and its answer, less what it adds. */
const EVENT_BYTES = 448;
const QUERY_BYTES = 704;
const ANSWER_BYTES = 768;
/** Milliseconds in which answers to a query count. */
const QUERY_MS = 1000;
const MAX_QUERY_MS = 10_000;
/** Agents that one query names. */
const MAX_AGENTS = 100;

/** The methods; without an agent all of them are answered `no_agent`. */
export function eventMethods(host: MethodsHost): Methods {
  const { calls } = host;
  const follow = (kind: "events" | "queries", begin: boolean) => (params: RpcParams, caller: Caller) => {
    const method = `${kind === "events" ? "event" : "query"}.${begin ? "" : "un"}subscribe`;
    const session = sessionOf(caller, method);
    calls.need();
    change(session, kind, begin, readPrefix(params), host.limits.maxSubscriptions);
    return { number: host.events.log.number };
  };
  return {
    "event.get": { scope: "read", call: (params, caller) => getEvents(host, params, caller) },
    "event.subscribe": { scope: "read", call: follow("events", true) },
    "event.unsubscribe": { scope: "read", call: follow("events", false) },
    "event.send": {
      scope: "member",
      call: (params) => {
        const name = readName(params);
        const payload = readPayload(params, EVENT_BYTES - name.length);
        return calls.run((agent) => agent.userEvent(name, payload).then(() => ({ name })));
      },
    },
    "query.send": { scope: "member", call: (params) => sendQuery(calls, params) },
    "query.subscribe": { scope: "member", call: follow("queries", true) },
    "query.unsubscribe": { scope: "member", call: follow("queries", false) },
    "query.respond": {
      scope: "member",
      call: (params) => {
        const { id } = params;
        if (!Number.isSafeInteger(id)) throw invalidParams("id must be the number of a query");
        const payload = readPayload(params, ANSWER_BYTES);
        return calls.run(() => host.events.respond(id as number, payload).then(() => ({})));
      },
    },
  };
}

function change(
  session: BridgeSession,
  kind: "events" | "queries",
  begin: boolean,
  prefix: string,
  most: number,
): void {
  const prefixes = session[kind];
  if (!begin) prefixes.delete(prefix);
  else if (prefixes.has(prefix) || prefixes.size < most) prefixes.add(prefix);
  else {
    throw new ToychatError(
      "too_many_subscriptions",
      `this connection has ${most} prefixes already: end one of them, or take a shorter one`,
    );
  }
}

/** The events after a point that the caller knows, at once where there are some, else as soon as there is one. */
async function getEvents(
  { events: { log }, calls, members, waiters }: MethodsHost,
  params: RpcParams,
  { gone }: Caller,
): Promise<object> {
  calls.need();
  const since = readSince(params, "number");
  const waitMs = readWait(params);
  const prefix = readPrefix(params);
  if (!since) return { events: [], number: log.number, lost: false };
  const { bridge } = members.wireView();
  if (since.bridge !== bridge) return { events: log.after(0, prefix), number: log.number, lost: true };
  const nothing = (): boolean => log.has(since.at) && log.after(since.at, prefix).length === 0;
  if (waitMs !== undefined) await waiters.wait(nothing, waitMs, gone);
  const lost = !log.has(since.at);
  return { events: log.after(since.at > log.number ? 0 : since.at, prefix), number: log.number, lost };
}

function sendQuery(calls: AgentCalls, params: RpcParams): Promise<object> {
  const { timeoutMs = QUERY_MS } = params;
  const name = readName(params);
  const payload = readPayload(params, QUERY_BYTES - name.length);
  if (typeof timeoutMs !== "number" || !(timeoutMs >= 1 && timeoutMs <= MAX_QUERY_MS)) {
    throw invalidParams(`timeoutMs must be a number of milliseconds from 1 to ${MAX_QUERY_MS}`);
  }
  const agents = params.agents === undefined ? undefined : readList(params, "agents", MAX_AGENTS);
  return calls.run(async (agent) => {
    const { acks, answers } = await agent.query({ name, payload, timeoutMs, agents });
    return { acks, answers: answers.map((one) => ({ from: one.from, ...showPayload(one.payload) })) };
  });
}
