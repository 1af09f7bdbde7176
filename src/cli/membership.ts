/**
 * Where a role gets the list of members from: the bridge of its host, or its Serf agent itself.
 *
 * @module
 */
import process from "node:process";
import type { BridgeSerfOptions } from "../http/bridge.ts";
import type { Membership } from "../membership/membership.ts";
import { MAX_EXPECT_HOSTS } from "../membership/serf/serf_host_options.ts";
import { SerfMembership } from "../membership/serf/serf_membership.ts";
import { bridgeMembership, type Context } from "./context.ts";
import type { Flags } from "./flags.ts";
import { badUsage, quoted } from "./usage.ts";

const SCHEME = "serf:";
const AGENT = /^(?:\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+):[0-9]{1,5}$/;

function readAgent(source: string, given: string, example: string): string {
  if (AGENT.test(given) && Number(given.slice(given.lastIndexOf(":") + 1)) <= 65_535) return given;
  throw badUsage(`${source} is ${quoted(given)}: give host and port of the agent's RPC, such as ${example}`);
}

/** What is of use with an agent alone. */
const AGENT_FLAGS = ["serf-auth", "partition", "expect-hosts"];

function agentSettings(flags: Flags): Omit<BridgeSerfOptions, "address"> {
  const authKey = flags.text("serf-auth") ?? process.env["TOYCHAT_SERF_AUTH"];
  const onPartition = flags.choice("partition", ["serve", "seal"]);
  const given = flags.text("expect-hosts") !== undefined;
  const expect = given ? { expectHosts: flags.count("expect-hosts", MAX_EXPECT_HOSTS) } : {};
  if (expect.expectHosts !== undefined && onPartition === "serve") {
    throw badUsage(`${flags.source("expect-hosts")} is of no use without --partition seal: leave it out`);
  }
  return { onPartition, ...expect, ...(authKey ? { authKey } : {}) };
}

/** `--serf`, `--serf-auth`, `--partition` and `--expect-hosts` of a bridge; undefined: this host by itself. Throws `bad_usage`. */
export function serfOptions({ flags }: Context): BridgeSerfOptions | undefined {
  const given = flags.text("serf");
  if (given !== undefined) {
    return { address: readAgent(flags.source("serf"), given, "127.0.0.1:7373"), ...agentSettings(flags) };
  }
  for (const name of AGENT_FLAGS) {
    if (flags.text(name) !== undefined) {
      throw badUsage(`${flags.source(name)} is of no use without a Serf agent: say where it is by --serf`);
    }
  }
  return undefined;
}

/**
 * `--bridge` of a role: a URL, or `serf:HOST:PORT` for the agent itself. Roles wait 10 s for either, as it may start at the
 * same time. Throws `bad_usage`.
 */
export function clusterMembership(context: Context): Membership {
  const { flags, transport, secret, log } = context;
  const given = flags.text("bridge") ?? "";
  if (!given.startsWith(SCHEME)) {
    for (const name of AGENT_FLAGS) {
      if (flags.text(name) === undefined) continue;
      throw badUsage(
        `${flags.source(name)} is the bridge's: leave it out, or give --bridge serf:127.0.0.1:7373`,
      );
    }
    return bridgeMembership(context);
  }
  return new SerfMembership({
    transport,
    address: readAgent(flags.source("bridge"), given.slice(SCHEME.length), "serf:127.0.0.1:7373"),
    log,
    ...agentSettings(flags),
    ...(secret === undefined ? {} : { secret }),
  });
}
