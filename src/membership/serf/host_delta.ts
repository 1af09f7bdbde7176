/**
 * Changes of a host's members, as user events: hints that arrive long before the tags that they announce.
 *
 * ```text
 * 5 base64url digits      cluster tag
 * 5 base64url digits      hash of the agent's name
 * 4 base64url digits      seq of the publication
 * + record                a member that is new or has changed, see host_record.ts
 * - id . incarnation      a member that was withdrawn
 * ```
 *
 * @module
 */
import type { Member } from "../view.ts";
import { fromDigits } from "./digits.ts";
import { encodeRecord, type HostRecord, readRecord } from "./host_record.ts";
import { hostHash, seqDigits } from "./host_tag.ts";
import { lifeText, type MemberLife, readLife } from "./member_life.ts";

/** The name of the user event. */
export const DELTA_EVENT = "tc";

/** Bytes of one event's payload at most: Serf takes 512 with name and header. */
export const MAX_DELTA = 400;

const HEADER = 14;

/** What has changed on a host. */
export interface HostChange {
  /** See `clusterTag`. */
  readonly clusterTag: string;
  /** The name of the host's agent. */
  readonly agentName: string;
  /** The IP address of the host's agent. */
  readonly agentAddress: string;
  /** The count of the publication that has the change. */
  readonly seq: number;
  /** Members that are new or have changed. */
  readonly changed: readonly Member[];
  /** Members that were withdrawn. */
  readonly withdrawn: readonly MemberLife[];
}

/** A delta as it was read. */
export interface HostDelta {
  /** See `hostHash`. */
  readonly host: string;
  /** See {@linkcode HostChange.seq}. */
  readonly seq: number;
  /** Records of members that are new or have changed. */
  readonly changed: readonly HostRecord[];
  /** Members that were withdrawn. */
  readonly withdrawn: readonly MemberLife[];
}

/**
 * The payloads that tell a change, each of {@linkcode MAX_DELTA} bytes at most, withdrawals first; none where nothing has
 * changed. Members with an incarnation that cannot be published were never published, so their withdrawal is left out.
 *
 * @throws {ToychatError} `invalid_incarnation`, `invalid_member_address` of a member of `changed`.
 */
export function encodeDelta(change: HostChange): string[] {
  const header = change.clusterTag + hostHash(change.agentName) + seqDigits(change.seq);
  return payloadsOf(header, [
    ...change.withdrawn.flatMap((life) => lifeText(life) ?? []),
    ...change.changed.map((member) => `+${encodeRecord(member, change.agentAddress)}`),
  ]);
}

/** The payloads that begin with a header and hold all items, each of {@linkcode MAX_DELTA} bytes at most; none without any. */
export function payloadsOf(header: string, items: readonly string[]): string[] {
  const payloads: string[] = [];
  let payload = "";
  for (const item of items) {
    if (payload !== "" && payload.length + item.length > MAX_DELTA) {
      payloads.push(payload);
      payload = "";
    }
    payload = (payload || header) + item;
  }
  if (payload !== "") payloads.push(payload);
  return payloads;
}

/** Reads a payload; undefined where it is malformed, or of another cluster. Never throws. */
export function decodeDelta(payload: string, clusterTag: string): HostDelta | undefined {
  const seq = fromDigits(payload, 10, 4);
  if (payload.length > 512 || payload.slice(0, 5) !== clusterTag || seq === undefined) return undefined;
  if (fromDigits(payload, 5, 5) === undefined) return undefined;
  const changed: HostRecord[] = [];
  const withdrawn: MemberLife[] = [];
  for (let at = HEADER; at < payload.length;) {
    const read = payload[at] === "+" ? readRecord(payload, at + 1) : undefined;
    const gone = read ? undefined : readLife(payload, at);
    if (read) changed.push(read.record);
    else if (gone) withdrawn.push(gone.life);
    else return undefined;
    at = read?.end ?? gone?.end ?? payload.length;
  }
  return { host: payload.slice(5, 10), seq, changed, withdrawn };
}
