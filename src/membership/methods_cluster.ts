/**
 * The bridge's methods by which members register, renew, drain and leave.
 *
 * @module
 */
import { printable, ToychatError } from "../lib/errors.ts";
import { type Caller, type Methods, type MethodsHost, needScope, sessionOf } from "./rpc_method.ts";
import type { BridgeSession } from "./bridge_session.ts";
import { requestText, type RpcParams } from "./json_rpc.ts";
import { readText } from "./rpc_params.ts";

/** The methods: a member lives by the connection on which it called them. */
export function clusterMethods(host: MethodsHost): Methods {
  const { members } = host;
  return {
    "cluster.register": {
      scope: "member",
      call: (params, caller) => members.register(sessionOf(caller, "cluster.register"), params),
    },
    "cluster.renew": {
      scope: "member",
      call: (_, caller) => {
        sessionOf(caller, "cluster.renew");
        return {};
      },
    },
    "cluster.drain": {
      scope: "member",
      call: (params, caller) =>
        params.id === undefined
          ? members.drain(sessionOf(caller, "cluster.drain"))
          : askToDrain(host, params, caller),
    },
    "cluster.leave": {
      scope: "member",
      call: (_, caller) => members.leave(sessionOf(caller, "cluster.leave")),
    },
  };
}

/** Asks another member to drain and end; it decides when, as only it knows when its rooms are handed over. */
function askToDrain(host: MethodsHost, params: RpcParams, caller: Caller): object {
  needScope("cluster.drain {id}", "admin", caller);
  const id = readText(params, "id", 64);
  const session = holderOf(host, id);
  if (!session?.member) throw noSuchMember(host, id);
  const { incarnation } = session.member;
  session.outbox.urgent(requestText("cluster.drain", { id, incarnation }));
  host.log("info", "member_drain_asked", { id, incarnation, address: caller.address });
  return { id, incarnation };
}

/** The connection by which a member lives. */
function holderOf({ sessions }: MethodsHost, id: string): BridgeSession | undefined {
  for (const session of sessions) if (session.member?.id === id && !session.over) return session;
  return undefined;
}

function noSuchMember({ book }: MethodsHost, id: string): ToychatError {
  const member = book.view.members.find((one) => one.id === id);
  if (!member) {
    return new ToychatError("unknown_member", `there is no member "${printable(id, 20)}": see members.list`);
  }
  return new ToychatError(
    "member_elsewhere",
    `"${member.id}" at ${member.address} does not live by this bridge: ask the one on its host`,
  );
}
