/**
 * What one host publishes of its members: the value of one tag of its Serf agent.
 *
 * ```text
 * 1                       version
 * 5 base64url digits      cluster tag: 30 bits of BLAKE2b of the cluster's name, keyed with the placement key
 * 2 base 36 digits        slots: the high-water mark that the host knows
 * 4 base64url digits      seq: counts the host's publications, 24 bits, wraps
 * !                       only where the host has sealed: it has no ChatServers now, and will have them again
 * records                 one a member, back to back, see host_record.ts
 * ```
 *
 * @module
 */
import { blake2b } from "@noble/hashes/blake2.js";
import { ToychatError } from "../../lib/errors.ts";
import { MAX_SLOTS } from "../names.ts";
import type { Member } from "../view.ts";
import { fromDigits, toDigits } from "./digits.ts";
import { type Ip, readIp } from "./ip.ts";
import { encodeRecord, type HostRecord, memberOf, readRecord } from "./host_record.ts";

/** The tag's key. */
export const HOST_TAG = "tc";

/** Characters of a value at most: Serf takes 512 bytes for all tags of an agent, their keys and lengths included. */
export const MAX_HOST_VALUE = 500;

/** Publications are counted modulo this. */
export const SEQ_MODULUS = 2 ** 24;

const VERSION = "1";
const AWAITS = "!";
const HEADER = 12;
const encoder = new TextEncoder();

/** What one host publishes. */
export interface HostPublication {
  /** See {@linkcode clusterTag}. */
  readonly clusterTag: string;
  /** The highest number of slots that the host knows of. */
  readonly slots: number;
  /** Counts the host's publications, 0 to 2^24 - 1. */
  readonly seq: number;
  /** Whether its ChatServers are withdrawn because it may not accept. Default false. */
  readonly awaits?: boolean;
  /** Its members. */
  readonly members: readonly Member[];
  /** The IP address of the host's agent. */
  readonly agentAddress: string;
  /** Bytes that the value may take; default {@linkcode MAX_HOST_VALUE}. Less where the agent has other tags. */
  readonly maxBytes?: number;
}

/** What was read of a host's publication. */
export interface HostValue {
  /** See {@linkcode HostPublication.slots}. */
  readonly slots: number;
  /** See {@linkcode HostPublication.seq}. */
  readonly seq: number;
  /** See {@linkcode HostPublication.awaits}. */
  readonly awaits: boolean;
  /** Its members, in the order in which they stand there. */
  readonly members: readonly Member[];
}

/** Why a value says nothing: of another cluster or placement key, of another version of toychat, or not readable. */
export type HostValueProblem = "another_cluster" | "another_version" | "malformed";

/** The outcome of reading a value. */
export type HostReading =
  | { readonly value: HostValue; readonly problem?: undefined }
  | { readonly value?: undefined; readonly problem: HostValueProblem };

function thirtyBits(hash: Uint8Array): string {
  return toDigits(Math.floor(new DataView(hash.buffer, hash.byteOffset, 4).getUint32(0) / 4), 5);
}

/** 5 base64url digits by which hosts of one cluster know each other: of BLAKE2b of its name, keyed, the first 30 bits. */
export function clusterTag(cluster: string, placementKey: Uint8Array): string {
  return thirtyBits(blake2b(encoder.encode(cluster), { key: placementKey, dkLen: 4 }));
}

/** 5 base64url digits for the name of an agent: of its BLAKE2b, the first 30 bits. */
export function hostHash(agentName: string): string {
  return thirtyBits(blake2b(encoder.encode(agentName), { dkLen: 4 }));
}

/** Whether a count of publications is newer than another: ahead of it by less than half of all counts. */
export function isNewerSeq(seq: number, than: number): boolean {
  const ahead = (seq - than + SEQ_MODULUS) % SEQ_MODULUS;
  return ahead > 0 && ahead < SEQ_MODULUS / 2;
}

/**
 * Where a host begins to count that finds no publication of its own: quarters of a second of wall time, so that it is
 * ahead of what an earlier life of it published, for 24 days at up to 4 publications a second.
 */
export function firstSeq(wallTime: number): number {
  return Math.floor(wallTime / 250) % SEQ_MODULUS;
}

/** 4 base64url digits. */
export function seqDigits(seq: number): string {
  return toDigits(((seq % SEQ_MODULUS) + SEQ_MODULUS) % SEQ_MODULUS, 4);
}

/**
 * The value of a host's tag.
 *
 * @throws {ToychatError} `tags_full` where the members do not fit; `invalid_incarnation`; `invalid_member_address`.
 */
export function encodeHost(host: HostPublication): string {
  const { members, maxBytes = MAX_HOST_VALUE } = host;
  const slots = Math.min(Math.max(host.slots, 0), MAX_SLOTS).toString(36).padStart(2, "0");
  let text = VERSION + host.clusterTag + slots + seqDigits(host.seq) + (host.awaits ? AWAITS : "");
  for (const [i, member] of members.entries()) {
    text += encodeRecord(member, host.agentAddress);
    if (text.length > maxBytes) throw tagsFull(i, members.length, maxBytes);
  }
  return text;
}

function tagsFull(fit: number, wanted: number, maxBytes: number): ToychatError {
  const others = MAX_HOST_VALUE - maxBytes;
  const room = others > 0
    ? `${maxBytes} bytes that the agent's other tags leave of ${MAX_HOST_VALUE}`
    : undefined;
  return new ToychatError(
    "tags_full",
    `${wanted} members of this host need more than the ${
      room ?? `${maxBytes} bytes that its Serf agent can publish`
    }: the first ${fit} fit. Start further processes on another host, give them shorter ids, or take other tags off the agent`,
  );
}

/**
 * Reads the value of a host's tag. Never throws.
 *
 * @param agentAddress the IP address of the agent that has the tag.
 */
export function readHost(text: string, clusterTag: string, agentAddress: string): HostReading {
  if (text.length > 0 && !text.startsWith(VERSION)) return { problem: "another_version" };
  if (text.length < HEADER || text.length > 512) return { problem: "malformed" };
  if (text.slice(1, 6) !== clusterTag) return { problem: "another_cluster" };
  const slots = /^[0-9a-z]{2}$/.test(text.slice(6, 8)) ? parseInt(text.slice(6, 8), 36) : MAX_SLOTS + 1;
  const seq = fromDigits(text, 8, 4);
  const awaits = text[HEADER] === AWAITS;
  const members = readMembers(text, awaits ? HEADER + 1 : HEADER, readIp(agentAddress));
  if (slots > MAX_SLOTS || seq === undefined || !members) return { problem: "malformed" };
  return { value: { slots, seq, awaits, members } };
}

function readMembers(text: string, from: number, agent: Ip | undefined): Member[] | undefined {
  const members = new Map<string, Member>();
  for (let at = from; at < text.length;) {
    const read = readRecord(text, at);
    const member = read && memberOf(read.record, agent);
    if (!read || !member || members.has(member.id)) return undefined;
    members.set(member.id, member);
    at = read.end;
  }
  return [...members.values()];
}

/** What a host's tag says; undefined where {@linkcode readHost} finds a problem. */
export function decodeHost(text: string, clusterTag: string, agentAddress: string): HostValue | undefined {
  return readHost(text, clusterTag, agentAddress).value;
}

export { isSerfIncarnation, publishedAddress } from "./host_record.ts";
export type { HostRecord };
