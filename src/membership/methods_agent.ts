/**
 * The bridge's methods for operators, which act on the host's Serf agent.
 *
 * @module
 */
import type { AgentMember } from "./bridge_agent.ts";
import type { Methods, MethodsHost } from "./rpc_method.ts";
import { invalidParams, readList, readText } from "./rpc_params.ts";

/** Addresses in one `serf.join`. */
const MAX_ADDRESSES = 32;
const MAX_AGENT_NAME = 128;

/** The methods; without an agent all of them are answered `no_agent`. */
export function agentMethods({ calls }: MethodsHost): Methods {
  return {
    "serf.members": {
      scope: "admin",
      call: () => calls.run(async (serf) => ({ agents: (await serf.members()).map(show) })),
    },
    "serf.join": {
      scope: "admin",
      call: (params) => {
        const addresses = readList(params, "addresses", MAX_ADDRESSES);
        return calls.run(async (serf) => ({ joined: await serf.join(addresses) }));
      },
    },
    "serf.forceLeave": {
      scope: "admin",
      call: (params) => {
        const name = readText(params, "name", MAX_AGENT_NAME);
        const { prune = false } = params;
        if (typeof prune !== "boolean") throw invalidParams("prune must be true or false");
        return calls.run(async (serf) => {
          await serf.forceLeave(name, prune);
          return { name };
        });
      },
    },
  };
}

function show({ name, address, status, tags }: AgentMember): object {
  return { name, address, status, tags: Object.fromEntries(tags) };
}
