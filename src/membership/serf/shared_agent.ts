/**
 * One agent publishes one list of members: a second bridge beside it would withdraw what the first one has, and be
 * overwritten by it.
 *
 * @module
 */
import { printable, ToychatError } from "../../lib/errors.ts";
import { hostHash } from "./host_tag.ts";
import { encodeQuestion, LIVE_QUERY } from "./live_query.ts";
import type { SerfClient } from "./serf_client.ts";

/** Milliseconds for an answer. The agent asks on its own machine: it takes some 10 as a rule. */
const ANSWER_MS = 500;

const encoder = new TextEncoder();

/**
 * Asks who publishes members by an agent, before doing so.
 *
 * @throws {ToychatError} `agent_shared` where somebody answers.
 */
export async function refuseSharedAgent(
  agent: Pick<SerfClient, "agentName" | "query">,
  clusterTag: string,
): Promise<void> {
  const { agentName } = agent;
  const payload = encoder.encode(encodeQuestion(clusterTag, hostHash(agentName)));
  const shared = await new Promise<boolean>((resolve) => {
    agent.query(LIVE_QUERY, payload, {
      filterNodes: [agentName],
      timeoutMs: ANSWER_MS,
      onResponse: () => resolve(true),
    }).then(() => resolve(false), () => resolve(false));
  });
  if (!shared) return;
  throw new ToychatError(
    "agent_shared",
    `the Serf agent "${
      printable(agentName, 128)
    }" serves another bridge already, or a role with --bridge serf:…: ` +
      "have the processes of a host use one bridge, or start an agent for this one",
  );
}
