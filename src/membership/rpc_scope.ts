/**
 * What a caller of the bridge may do.
 *
 * @module
 */
import { RPC_CODES, RpcError } from "./json_rpc.ts";

/**
 * `read`: ask and follow. `member`: be a member, and say things to other processes. `admin`: change the cluster. Each one
 * may do what those before it may.
 */
export type Scope = "read" | "member" | "admin";

/** All of them, the least first. */
export const SCOPES: readonly Scope[] = ["read", "member", "admin"];

/** Whether who holds one scope may do what another one is needed for. */
export function covers(held: Scope, needed: Scope): boolean {
  return SCOPES.indexOf(held) >= SCOPES.indexOf(needed);
}

/** The higher one of two scopes. */
export function higher(a: Scope | undefined, b: Scope): Scope {
  return a !== undefined && covers(a, b) ? a : b;
}

/** The error for a caller who may not call a method. */
export function forbidden(method: string, needed: Scope, held: Scope): RpcError {
  return new RpcError(
    RPC_CODES.refused,
    `${method} needs the scope "${needed}", and the caller has "${held}": use a token of that scope`,
    { code: "forbidden", scope: needed },
  );
}
