/**
 * The question that every bridge asks all others each second, as a Serf query, and the answer.
 *
 * ```text
 * question   5 digits cluster tag, 5 digits hash of the asking host, then 5 digits hash of each host whose tag has not
 *            arrived as new as it was told of
 * answer     5 digits cluster tag, 5 digits hash of the answering host, "s" it has lost the majority, else "a",
 *            4 digits how often it has published, as in its tag, then for each host of which it says something: "-" it has not heard it for 8 s, "!" nor has it in its view
 *            any more, or "x" it has heard it again and does not have it in its view yet, and 5 digits hash
 * ```
 *
 * @module
 */
import { fromDigits } from "./digits.ts";
import { hostHash, seqDigits } from "./host_tag.ts";

/** The name of the query. */
export const LIVE_QUERY = "tc-live";

/** Hosts of which one answer says something: Serf takes 1024 bytes for an answer. */
export const MAX_TESTIMONY = 120;

/** Hosts that one question asks for their tags. */
const MAX_LATE = 100;

const QUESTION = /^(?:[A-Za-z0-9_-]{5}){2,102}$/;
const ANSWER = /^[A-Za-z0-9_-]{10}[as][A-Za-z0-9_-]{4}(?:[-!x][A-Za-z0-9_-]{5}){0,120}$/;

/** A question; hosts as `hostHash` names them. */
export interface LiveQuestion {
  /** Who asks. */
  readonly host: string;
  /** Whose tags are late. */
  readonly late: readonly string[];
}

/** An answer; hosts as `hostHash` names them. */
export interface LiveAnswer {
  /** Who answers. */
  readonly host: string;
  /** Counts its publications. */
  readonly seq: number;
  /** Whether it has lost the majority. */
  readonly lost: boolean;
  /** Whom it has not heard for 8 s. */
  readonly silent: readonly string[];
  /** Whom it has dropped, of those. */
  readonly dropped: readonly string[];
  /** Whom it has dropped, silent or not. */
  readonly out: readonly string[];
}

/** The payload of a question. */
export function encodeQuestion(clusterTag: string, host: string, late: readonly string[] = []): string {
  return clusterTag + host + late.slice(0, MAX_LATE).join("");
}

/** Reads a question; undefined where it is malformed, or of another cluster. */
export function decodeQuestion(payload: string, clusterTag: string): LiveQuestion | undefined {
  if (!QUESTION.test(payload) || !payload.startsWith(clusterTag)) return undefined;
  return { host: payload.slice(5, 10), late: payload.slice(10).match(/.{5}/g) ?? [] };
}

/** To whom an answer goes. */
export interface Asker {
  /** Its host, as `hostHash` names it. */
  readonly host: string;
  /** The Lamport time of its question, the same for all who answer that. */
  readonly ltime: number;
}

/**
 * The payload of an answer. Of too many hosts the asker comes first, who alone needs to know that it is out. Then those that
 * are silent, dropped or not, since a host is given up by what a majority says of it at the same time: so all who answer a
 * question name the same ones, and each question others, until every one had its turn.
 */
export function encodeAnswer(
  clusterTag: string,
  answer: Omit<LiveAnswer, "dropped">,
  { host, ltime }: Asker,
): string {
  const out = new Set(answer.out);
  const silent = new Set(answer.silent);
  const heard = answer.out.filter((hash) => !silent.has(hash));
  const start = hostHash(String(ltime));
  const hashes = [...around(answer.silent, start), ...heard.sort()];
  const words = hashes.map((hash) => (silent.has(hash) ? out.has(hash) ? "!" : "-" : "x") + hash);
  const own = words.filter((word) => word.endsWith(host));
  const named = [...own, ...words.filter((word) => !word.endsWith(host))].slice(0, MAX_TESTIMONY).sort();
  return clusterTag + answer.host + (answer.lost ? "s" : "a") + seqDigits(answer.seq) + named.join("");
}

/** Hashes in order, from a start on and around to it. */
function around(hashes: readonly string[], start: string): string[] {
  const sorted = [...hashes].sort();
  return [...sorted.filter((hash) => hash >= start), ...sorted.filter((hash) => hash < start)];
}

/** Reads an answer; undefined where it is malformed, or of another cluster. */
export function decodeAnswer(payload: string, clusterTag: string): LiveAnswer | undefined {
  if (!ANSWER.test(payload) || !payload.startsWith(clusterTag)) return undefined;
  const silent: string[] = [];
  const dropped: string[] = [];
  const out: string[] = [];
  for (let at = 15; at < payload.length; at += 6) {
    const hash = payload.slice(at + 1, at + 6);
    if (payload[at] !== "x") silent.push(hash);
    if (payload[at] === "!") dropped.push(hash);
    if (payload[at] !== "-") out.push(hash);
  }
  const seq = fromDigits(payload, 11, 4) ?? 0;
  return { host: payload.slice(5, 10), seq, lost: payload[10] === "s", silent, dropped, out };
}
