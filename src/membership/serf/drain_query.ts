/**
 * How a bridge has a member of another host asked to drain: a Serf query to that host's agent alone, which the bridge behind
 * it answers.
 *
 * ```text
 * question   5 digits cluster tag, then " id incarnation"
 * answer     "asked", or "gone": no such member lives there
 * ```
 *
 * @module
 */
import { ToychatError } from "../../lib/errors.ts";
import type { LastingCall } from "../agent_calls.ts";
import { isIncarnation, isMemberId } from "../names.ts";
import type { MemberLife } from "./member_life.ts";
import type { SerfClient } from "./serf_client.ts";
import type { SerfQueryEvent } from "./serf_types.ts";

/** The name of the query. */
export const DRAIN_QUERY = "tc-drain";

const ANSWER_MS = 2000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Asks the bridge of another host to have a member drain.
 *
 * @param host The name of the other host's agent.
 * @returns Whether the member was told; false where it does not live there, or where nobody has answered within 2 s. It
 * rejects with `agent_unreachable` where the own agent does not take the question. The query goes on for 2 s in any case.
 */
export function askHostToDrain(
  agent: Pick<SerfClient, "query">,
  clusterTag: string,
  host: string,
  { id, incarnation }: MemberLife,
): LastingCall<boolean> {
  let told = (_: boolean): void => {};
  const answered = new Promise<boolean>((resolve) => told = resolve);
  const over = agent.query(DRAIN_QUERY, encoder.encode(`${clusterTag} ${id} ${incarnation}`), {
    timeoutMs: ANSWER_MS,
    filterNodes: [host],
    onResponse: (from, payload) => from === host && told(decoder.decode(payload) === "asked"),
  });
  over.then(() => told(false), () => {});
  const answer = Promise.race([answered, over.then(() => answered)]).catch((error) => {
    throw new ToychatError("agent_unreachable", "the bridge's Serf agent did not take the question", {
      cause: error,
    });
  });
  return { answer, over };
}

/** Answers such a question of another bridge; `drain` tells the member, and says whether it lives here. */
export function answerDrain(
  agent: Pick<SerfClient, "respond">,
  clusterTag: string,
  query: SerfQueryEvent,
  drain: (life: MemberLife) => boolean,
): void {
  const [tag, id, incarnation, more] = decoder.decode(query.payload).split(" ");
  if (tag !== clusterTag || !isMemberId(id) || !isIncarnation(incarnation) || more !== undefined) return;
  const answer = drain({ id, incarnation }) ? "asked" : "gone";
  agent.respond(query.id, encoder.encode(answer)).catch(() => {});
}
