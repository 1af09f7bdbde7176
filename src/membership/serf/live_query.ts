/**
 * The question that every bridge asks all others each second, as a Serf query, and the answer.
 *
 * ```text
 * question   5 digits cluster tag, 5 digits hash of the asking host
 * answer     5 digits cluster tag, 5 digits hash of the answering host, "s" it has sealed, else "a",
 *            then for each host of which it says something: "-" it has not heard it for 8 s, "!" nor has it in its view
 *            any more, or "x" it has heard it again and does not have it in its view yet, and 5 digits hash
 * ```
 *
 * @module
 */

/** The name of the query. */
export const LIVE_QUERY = "tc-live";

/** Hosts of which one answer says something: Serf takes 1024 bytes for an answer. */
export const MAX_TESTIMONY = 120;

const QUESTION = /^[A-Za-z0-9_-]{10}$/;
const ANSWER = /^[A-Za-z0-9_-]{10}[as](?:[-!x][A-Za-z0-9_-]{5}){0,120}$/;

/** An answer; hosts as `hostHash` names them. */
export interface LiveAnswer {
  /** Who answers. */
  readonly host: string;
  /** Whether it has lost the majority. */
  readonly sealed: boolean;
  /** Whom it has not heard for 8 s. */
  readonly silent: readonly string[];
  /** Whom it has dropped, of those. */
  readonly dropped: readonly string[];
  /** Whom it has dropped, silent or not. */
  readonly out: readonly string[];
}

/** The payload of a question. */
export function encodeQuestion(clusterTag: string, host: string): string {
  return clusterTag + host;
}

/** The hash of the host that asks; undefined where the payload is malformed, or of another cluster. */
export function decodeQuestion(payload: string, clusterTag: string): string | undefined {
  return QUESTION.test(payload) && payload.startsWith(clusterTag) ? payload.slice(5) : undefined;
}

/** The payload of an answer. Of too many hosts those that are silent and dropped come first. */
export function encodeAnswer(clusterTag: string, answer: Omit<LiveAnswer, "dropped">): string {
  const out = new Set(answer.out);
  const silent = new Set(answer.silent);
  const words = [
    ...answer.silent.map((hash) => (out.has(hash) ? "!" : "-") + hash),
    ...answer.out.flatMap((hash) => (silent.has(hash) ? [] : `x${hash}`)),
  ].sort();
  return clusterTag + answer.host + (answer.sealed ? "s" : "a") + words.slice(0, MAX_TESTIMONY).join("");
}

/** Reads an answer; undefined where it is malformed, or of another cluster. */
export function decodeAnswer(payload: string, clusterTag: string): LiveAnswer | undefined {
  if (!ANSWER.test(payload) || !payload.startsWith(clusterTag)) return undefined;
  const silent: string[] = [];
  const dropped: string[] = [];
  const out: string[] = [];
  for (let at = 11; at < payload.length; at += 6) {
    const hash = payload.slice(at + 1, at + 6);
    if (payload[at] !== "x") silent.push(hash);
    if (payload[at] === "!") dropped.push(hash);
    if (payload[at] !== "-") out.push(hash);
  }
  return { host: payload.slice(5, 10), sealed: payload[10] === "s", silent, dropped, out };
}
