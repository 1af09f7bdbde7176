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
import { encodeRecord, type HostRecord, isSerfIncarnation, readRecord } from "./host_record.ts";
import { hostHash, seqDigits } from "./host_tag.ts";

/** The name of the user event. */
export const DELTA_EVENT = "tc";

/** Bytes of one event's payload at most: Serf takes 512 with name and header. */
export const MAX_DELTA = 400;

const HEADER = 14;
const WITHDRAWN = /-([a-z0-9-]{1,8})\.([a-z0-9]{6})/y;

/** A member that is no more. */
export interface Withdrawal {
  /** Its id. */
  readonly id: string;
  /** Its incarnation. */
  readonly incarnation: string;
}

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
  readonly withdrawn: readonly Withdrawal[];
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
  readonly withdrawn: readonly Withdrawal[];
}

/**
 * The payloads that tell a change, each of {@linkcode MAX_DELTA} bytes at most, withdrawals first; none where nothing has
 * changed. Members with an incarnation that cannot be published were never published, so their withdrawal is left out.
 *
 * @throws {ToychatError} `invalid_incarnation`, `invalid_member_address` of a member of `changed`.
 */
export function encodeDelta(change: HostChange): string[] {
  const header = change.clusterTag + hostHash(change.agentName) + seqDigits(change.seq);
  const items = [
    ...change.withdrawn.filter(({ incarnation }) => isSerfIncarnation(incarnation))
      .map(({ id, incarnation }) => `-${id}.${incarnation}`),
    ...change.changed.map((member) => `+${encodeRecord(member, change.agentAddress)}`),
  ];
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
  const withdrawn: Withdrawal[] = [];
  for (let at = HEADER; at < payload.length;) {
    const read = payload[at] === "+" ? readRecord(payload, at + 1) : undefined;
    const gone = read ? undefined : readWithdrawal(payload, at);
    if (read) changed.push(read.record);
    else if (gone) withdrawn.push(gone.withdrawal);
    else return undefined;
    at = read?.end ?? gone?.end ?? payload.length;
  }
  return { host: payload.slice(5, 10), seq, changed, withdrawn };
}

function readWithdrawal(payload: string, at: number): { withdrawal: Withdrawal; end: number } | undefined {
  WITHDRAWN.lastIndex = at;
  const match = WITHDRAWN.exec(payload);
  const [text, id, incarnation] = match ?? [];
  if (text === undefined || id === undefined || incarnation === undefined) return undefined;
  return { withdrawal: { id, incarnation }, end: at + text.length };
}
