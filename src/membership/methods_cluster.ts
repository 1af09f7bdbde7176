/**
 * The bridge's methods by which members register, renew, drain and leave.
 *
 * @module
 */
import { printable, ToychatError } from "../lib/errors.ts";
import { type Caller, type Methods, type MethodsHost, sessionOf } from "./rpc_method.ts";
import type { RpcParams } from "./json_rpc.ts";
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
      call: (_, caller) => members.drain(sessionOf(caller, "cluster.drain")),
      withId: { scope: "admin", call: (params, caller) => askToDrain(host, params, caller) },
    },
    "cluster.leave": {
      scope: "member",
      call: (_, caller) => members.leave(sessionOf(caller, "cluster.leave")),
    },
  };
}

/** Asks a member, of this host or another one, to drain and end; it decides when, as only it knows when its rooms are handed over. */
async function askToDrain(
  { book, calls, members, log }: MethodsHost,
  params: RpcParams,
  caller: Caller,
): Promise<object> {
  const id = readText(params, "id", 64);
  const member = book.view.members.find((one) => one.id === id);
  if (!member) {
    throw new ToychatError("unknown_member", `there is no member "${printable(id, 20)}": see members.list`);
  }
  const { incarnation } = member;
  log("info", "drain_requested", { id, incarnation, address: caller.address });
  if (members.tellToDrain(member) || await calls.hold(() => book.drainElsewhere?.(member))) {
    return { id, incarnation };
  }
  throw new ToychatError(
    "member_unreachable",
    `no bridge says that "${id}" at ${member.address} lives by it: ask again, or end it on its host by SIGTERM`,
  );
}
