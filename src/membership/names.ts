/**
 * What a member may be called and where it may be: one set of rules for everything that a process, a bridge or a view
 * says of a member.
 *
 * @module
 */
import { printable, ToychatError } from "../lib/errors.ts";
import type { Role } from "./view.ts";

/** Slots are small numbers: 0 to this, exclusive. It bounds what a faulty peer can make everyone allocate. */
export const MAX_SLOTS = 1024;

/** Characters of an incarnation that a member draws: as many as fit into what a bridge publishes of each member. */
export const INCARNATION_LENGTH = 6;

const ID = /^[a-z0-9-]{1,8}$/;
const INCARNATION = /^[a-z0-9-]{1,32}$/;
const ADDRESS = /^(?:\[[0-9A-Fa-f:.]{2,45}(?:%[0-9A-Za-z]{1,16})?\]|[0-9A-Za-z._-]{1,253}):([0-9]{1,5})$/;

/** Whether a value is a member's id: `[a-z0-9-]{1,8}`. */
export function isMemberId(value: unknown): value is string {
  return typeof value === "string" && ID.test(value);
}

/** Whether a value is an incarnation: `[a-z0-9-]{1,32}`. */
export function isIncarnation(value: unknown): value is string {
  return typeof value === "string" && INCARNATION.test(value);
}

/** Whether a value is a role. */
export function isRole(value: unknown): value is Role {
  return value === "chat" || value === "proxy";
}

/** Whether a value is `host:port` for a role. A ChatServer must be reachable; a proxy may not know its port (0). */
export function isAddress(value: unknown, role: Role): value is string {
  const match = typeof value === "string" ? ADDRESS.exec(value) : null;
  if (!match) return false;
  const port = Number(match[1]);
  return port <= 65535 && (port > 0 || role === "proxy");
}

/** Whether a value is a slot: a whole number from 0 to {@linkcode MAX_SLOTS} - 1. */
export function isSlot(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < MAX_SLOTS;
}

/** A value from outside in a message. */
export function shown(value: unknown): string {
  if (typeof value === "string") return `"${printable(value, 40)}"`;
  return typeof value === "object" && value !== null ? "an object or a list" : String(value);
}

/**
 * Checks what a process says of itself.
 *
 * @throws {ToychatError} `invalid_member_id`, `invalid_member_role` or `invalid_member_address`.
 */
export function checkMember(member: { id?: unknown; role?: unknown; address?: unknown }): void {
  if (!isMemberId(member.id)) {
    throw new ToychatError(
      "invalid_member_id",
      `${
        shown(member.id)
      } cannot be a member's id: use 1 to 8 characters of a-z, 0-9 and "-", such as "chat-1"`,
    );
  }
  if (!isRole(member.role)) {
    throw new ToychatError(
      "invalid_member_role",
      `${shown(member.role)} is not a role: use "chat" or "proxy"`,
    );
  }
  if (!isAddress(member.address, member.role)) {
    throw new ToychatError(
      "invalid_member_address",
      `${shown(member.address)} is not an address: use host:port, such as "127.0.0.1:7001" or "[::1]:7001"`,
    );
  }
}
