/**
 * One member as a host publishes it: its id, a dot, and 11 base64url digits.
 *
 * ```text
 * 36 bits  incarnation 32, role 1 (0 chat, 1 proxy), state 2 (0 joining, 1 alive, 2 draining), has a slot 1
 * 30 bits  port 16, slot 10, host 2 (0 the agent's own, 1 127.0.0.1, 2 another IPv4), zero 2
 * 36 bits  with host 2 only: zero 4, the IPv4 address 32
 * ```
 *
 * @module
 */
import { printable, ToychatError } from "../../lib/errors.ts";
import { isAddress, isMemberId, isSlot } from "../names.ts";
import type { Member, MemberState, Role } from "../view.ts";
import { fromDigits, toDigits } from "./digits.ts";
import { type Ip, ipv4, isLoopbackIp, isWildcardIp, readIp } from "./ip.ts";

/** A member as it was read: what its address is depends on where its agent is. */
export interface HostRecord {
  /** The member's id. */
  readonly id: string;
  /** Exactly 6 characters of `[a-z0-9]`. */
  readonly incarnation: string;
  /** What it does. */
  readonly role: Role;
  /** Where it stands. */
  readonly state: MemberState;
  /** A ChatServer's slot; one that is draining may have none. */
  readonly slot: number | undefined;
  /** Its port; 0: a proxy that does not know its own. */
  readonly port: number;
  /** Its IPv4 address; undefined: its agent's own address. */
  readonly host: Ip | undefined;
}

/** Incarnations that fit into a record: exactly 6 characters of `[a-z0-9]`. */
const SERF_INCARNATION = /^[a-z0-9]{6}$/;
const ROLES: readonly Role[] = ["chat", "proxy"];
const STATES: readonly MemberState[] = ["joining", "alive", "draining"];
const LOOPBACK = 0x7f000001;
/** Numbers of 6 characters of base 36 end here. */
const INCARNATIONS = 36 ** 6;
const HOST_AGENT = 0;
const HOST_LOOPBACK = 1;
const HOST_IPV4 = 2;
const ID = /[a-z0-9-]{1,8}\./y;

/** Whether a value is an incarnation that fits into what hosts publish: exactly 6 characters of `[a-z0-9]`. */
export function isSerfIncarnation(value: unknown): value is string {
  return typeof value === "string" && SERF_INCARNATION.test(value);
}

function endpoint(ip: Ip, port: number): string {
  return ip.version === 6 ? `[${ip.text}]:${port}` : `${ip.text}:${port}`;
}

function refuse(member: Pick<Member, "id" | "address">, what: string): never {
  throw new ToychatError(
    "invalid_member_address",
    `"${printable(member.address, 60)}" of "${printable(member.id, 20)}" ${what}`,
  );
}

/** The IP address and port of a member that may be published from an agent's host. */
function placeOf(member: Member, agent: Ip): { ip: Ip; port: number } {
  const { role, address } = member;
  const at = address.lastIndexOf(":");
  const host = address.slice(0, at);
  const ip = readIp(host.startsWith("[") ? host.slice(1, -1) : host);
  const own = endpoint(agent, Number(address.slice(at + 1)) || 0);
  if (!isAddress(address, role) || !ip) {
    return refuse(member, `cannot be published over Serf: write an IP address and a port, such as ${own}`);
  }
  if (ip.version === 6 && ip.text !== agent.text) {
    refuse(
      member,
      `cannot be published over Serf: of IPv6 only the agent's own address can, so write ${own}`,
    );
  }
  if (role === "chat" && (isWildcardIp(ip) || (isLoopbackIp(ip) && !isLoopbackIp(agent)))) {
    refuse(
      member,
      `cannot be reached from other hosts: start it with --host ${agent.text}, or --listen ${
        endpoint(agent, 0)
      }`,
    );
  }
  return { ip, port: Number(address.slice(at + 1)) };
}

function agentIp(agentAddress: string): Ip {
  const ip = readIp(agentAddress);
  if (ip) return ip;
  throw new ToychatError(
    "invalid_member_address",
    `"${printable(agentAddress, 60)}" is not the IP address of an agent: write one such as 10.0.0.1`,
  );
}

/** The IP address of a member, for that of an agent beside it which is not known yet; loopback where it has none. */
export function ownAddress({ address }: Pick<Member, "address">): string {
  const host = address.slice(0, address.lastIndexOf(":")).replace(/^\[(.*)\]$/, "$1");
  return readIp(host)?.text ?? "127.0.0.1";
}

/**
 * A member's address as every host will read it from what is published, such as `10.0.0.1:7001`: register members by
 * this text, or the views of their own host and of others differ.
 *
 * @param agentAddress the IP address of the agent of the member's host.
 * @throws {ToychatError} `invalid_member_address` where it is a host's name, or IPv6 other than the agent's own, or where
 * a ChatServer is at loopback and the agent is not.
 */
export function publishedAddress(member: Member, agentAddress: string): string {
  const { ip, port } = placeOf(member, agentIp(agentAddress));
  return endpoint(ip, port);
}

/**
 * One record.
 *
 * @throws {ToychatError} `invalid_incarnation`, `invalid_slot`, `invalid_member_address` (see {@linkcode publishedAddress}).
 */
export function encodeRecord(member: Member, agentAddress: string): string {
  const { id, incarnation, role, state, slot } = member;
  if (!isSerfIncarnation(incarnation)) {
    throw new ToychatError(
      "invalid_incarnation",
      `the incarnation "${printable(incarnation, 40)}" of "${
        printable(id, 20)
      }" cannot be published over Serf: use ` +
        "exactly 6 characters of a-z and 0-9",
    );
  }
  if (role === "chat" ? slot === undefined ? state !== "draining" : !isSlot(slot) : slot !== undefined) {
    throw new ToychatError(
      "invalid_slot",
      `"${printable(id, 20)}" (${role}, ${state}) cannot have the slot ${slot}`,
    );
  }
  const agent = agentIp(agentAddress);
  const { ip, port } = placeOf(member, agent);
  const host = ip.text === agent.text ? HOST_AGENT : ip.bits === LOOPBACK ? HOST_LOOPBACK : HOST_IPV4;
  const life = (parseInt(incarnation, 36) * 2 + ROLES.indexOf(role)) * 4 + STATES.indexOf(state);
  const place = ((port * 1024 + (slot ?? 0)) * 4 + host) * 4;
  const address = host === HOST_IPV4 ? toDigits(ip.bits, 6) : "";
  return `${id}.${toDigits(life * 2 + (slot === undefined ? 0 : 1), 6)}${toDigits(place, 5)}${address}`;
}

/** Reads the record that starts at `at`; undefined where there is none, else it and where it ends. */
export function readRecord(text: string, at: number): { record: HostRecord; end: number } | undefined {
  ID.lastIndex = at;
  const head = ID.exec(text)?.[0];
  if (head === undefined) return undefined;
  const start = at + head.length;
  const life = fromDigits(text, start, 6);
  const place = fromDigits(text, start + 6, 5);
  if (life === undefined || place === undefined || place % 4 !== 0) return undefined;
  const kind = Math.floor(place / 4) % 4;
  const host = readHost(kind, text, start + 11);
  const state = STATES[Math.floor(life / 2) % 4];
  const number = Math.floor(life / 16);
  if (!host || state === undefined || number >= INCARNATIONS) return undefined;
  const record: HostRecord = {
    id: head.slice(0, -1),
    incarnation: number.toString(36).padStart(6, "0"),
    role: Math.floor(life / 8) % 2 === 0 ? "chat" : "proxy",
    state,
    slot: life % 2 === 1 ? Math.floor(place / 16) % 1024 : undefined,
    port: Math.floor(place / 16384),
    host: host.ip,
  };
  const slotted = record.slot !== undefined || Math.floor(place / 16) % 1024 === 0;
  return slotted && fits(record) ? { record, end: host.end } : undefined;
}

function readHost(
  kind: number,
  text: string,
  at: number,
): { ip: Ip | undefined; end: number } | undefined {
  if (kind === HOST_AGENT) return { ip: undefined, end: at };
  if (kind === HOST_LOOPBACK) return { ip: ipv4(LOOPBACK), end: at };
  const bits = kind === HOST_IPV4 ? fromDigits(text, at, 6) : undefined;
  return bits !== undefined && bits < 2 ** 32 ? { ip: ipv4(bits), end: at + 6 } : undefined;
}

/** Whether the fields go together: a ChatServer has a port, and a slot unless it drains; a proxy has no slot. */
function fits({ id, role, state, slot, port }: HostRecord): boolean {
  if (!isMemberId(id)) return false;
  return role === "proxy" ? slot === undefined : port > 0 && (slot !== undefined || state === "draining");
}

/**
 * The member of a record whose agent is at an IP address; undefined where it cannot be one: a ChatServer at loopback, or
 * at no address at all, while its agent is elsewhere. Whoever linked to it would reach a process of his own host.
 */
export function memberOf(record: HostRecord, agent: Ip | undefined): Member | undefined {
  const { id, role, incarnation, slot, state, port, host: ip = agent } = record;
  if (!agent || !ip) return undefined;
  if (role === "chat" && (isWildcardIp(ip) || (isLoopbackIp(ip) && !isLoopbackIp(agent)))) return undefined;
  const address = endpoint(ip, port);
  return slot === undefined
    ? { id, role, incarnation, address, state }
    : { id, role, incarnation, address, slot, state };
}
