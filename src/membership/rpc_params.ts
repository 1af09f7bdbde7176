/**
 * Reading the parameters of the bridge's methods.
 *
 * @module
 */
import { decodeBody, encodeBody } from "../lib/body.ts";
import { printable, ToychatError } from "../lib/errors.ts";
import { RPC_CODES, RpcError, type RpcParams } from "./json_rpc.ts";
import { MAX_WAIT_MS } from "./rpc_waiters.ts";

/** Characters of the name of an event or a query. */
const MAX_NAME = 64;
const encoder = new TextEncoder();

/** The error for parameters that cannot be right. */
export function invalidParams(message: string): RpcError {
  return new RpcError(RPC_CODES.invalidParams, message);
}

/** A text of 1 to `most` characters. */
export function readText(params: RpcParams, name: string, most: number): string {
  const value = params[name];
  if (typeof value === "string" && value.length > 0 && value.length <= most) return value;
  throw invalidParams(`${name} must be a string of 1 to ${most} characters`);
}

/** How long to wait for a change; undefined where it was not asked for. */
export function readWait({ waitMs }: RpcParams): number | undefined {
  if (waitMs === undefined) return undefined;
  if (typeof waitMs === "number" && waitMs >= 0 && waitMs <= MAX_WAIT_MS) return waitMs;
  throw invalidParams(`waitMs must be a number of milliseconds from 0 to ${MAX_WAIT_MS}`);
}

/** Up to which point of which life of the bridge the caller knows; undefined where it does not say. */
export function readSince(
  { since }: RpcParams,
  what: "revision" | "number",
): { bridge: string; at: number } | undefined {
  if (since === undefined) return undefined;
  const { bridge, [what]: at } = (typeof since === "object" && since !== null ? since : {}) as RpcParams;
  if (typeof bridge === "string" && Number.isSafeInteger(at)) return { bridge, at: at as number };
  throw invalidParams(`since must be {"bridge": …, "${what}": …}, both as an answer has them`);
}

/** A list of 1 to `most` texts. */
export function readList(params: RpcParams, name: string, most: number): string[] {
  const list = params[name];
  const sound = Array.isArray(list) && list.length > 0 && list.length <= most &&
    list.every((item) => typeof item === "string" && item.length > 0 && item.length <= 255);
  if (sound) return list;
  throw invalidParams(`${name} must be a list of 1 to ${most} strings of 1 to 255 characters`);
}

/** A beginning of names; default the one of all. */
export function readPrefix({ prefix = "" }: RpcParams): string {
  if (typeof prefix === "string" && prefix.length <= MAX_NAME) return prefix;
  throw invalidParams(`prefix must be a string of at most ${MAX_NAME} characters`);
}

/** Whether a name is toychat's own or Serf's, and nothing for applications. */
export function isReserved(name: string): boolean {
  return name.startsWith("tc") || name.startsWith("_serf_");
}

/**
 * The name of an event or a query.
 *
 * @throws {ToychatError} `reserved_name`; `invalidParams` where it is none.
 */
export function readName(params: RpcParams): string {
  const name = readText(params, "name", MAX_NAME);
  if (!/^[\x21-\x7e]+$/.test(name)) {
    throw invalidParams("name must be printable ASCII without spaces");
  }
  if (!isReserved(name)) return name;
  throw new ToychatError(
    "reserved_name",
    `"${
      printable(name, 64)
    }": names that begin with tc are toychat's own, and with _serf_ Serf's: take another one`,
  );
}

/**
 * What an event, a query or an answer says: `payload` as text, or as base64 where `encoding` says so; default nothing.
 *
 * @param most Bytes that it may have.
 * @throws {ToychatError} `payload_too_large`.
 */
export function readPayload({ payload = "", encoding }: RpcParams, most: number): Uint8Array {
  let bytes: unknown;
  try {
    bytes = typeof payload === "string" ? decodeBody({ body: payload, encoding }) : undefined;
  } catch (error) {
    throw invalidParams(`payload: ${(error as TypeError).message}`);
  }
  if (typeof bytes === "string") bytes = encoder.encode(bytes);
  if (!(bytes instanceof Uint8Array)) {
    throw invalidParams('payload must be a string, of base64 beside "encoding": "base64"');
  }
  if (bytes.length <= most) return bytes;
  throw new ToychatError(
    "payload_too_large",
    `the payload has ${bytes.length} bytes, and there is place for ${most}: send a reference to it instead`,
  );
}

/** A payload as it is told: text where it is UTF-8, else base64 beside `encoding`. */
export function showPayload(payload: Uint8Array): { payload: string; encoding?: "base64" } {
  try {
    return { payload: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(payload) };
  } catch {
    return { payload: encodeBody(payload).body as string, encoding: "base64" };
  }
}
