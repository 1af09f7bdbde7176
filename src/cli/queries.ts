/**
 * The commands that ask: `members`, `owner`, `drain` and `token`. What they say of the cluster they know by the bridge's
 * JSON-RPC, as anybody may.
 *
 * @module
 */
import { printable, ToychatError } from "../lib/errors.ts";
import type { RpcParams } from "../membership/json_rpc.ts";
import { bridgeToken } from "../membership/bridge_tokens.ts";
import { SCOPES } from "../membership/rpc_scope.ts";
import { roomNameProblem } from "../protocols/room_name.ts";
import { PROXY_LIMITS } from "../proxy/options.ts";
import { ask, type Context } from "./context.ts";
import { badUsage, quoted, suggestion } from "./usage.ts";

/** `toychat members`: gives what to print. */
export async function members(context: Context): Promise<string> {
  const answer = await ask(context, "members.list", {});
  if (!Array.isArray(answer.members)) throw malformed("members.list");
  const rows = answer.members.map(({ id, role, address, slot, state }: RpcParams) =>
    slot === undefined ? { id, role, address, state } : { id, role, address, slot, state }
  );
  if (context.flags.has("json")) return JSON.stringify(rows) + "\n";
  if (rows.length === 0) return "no members: start some by toychat chat and toychat proxy\n";
  return table([
    ["ID", "ROLE", "ADDRESS", "SLOT", "STATE"],
    ...rows.map(({ id, role, address, slot = "-", state }) => [id, role, address, slot, state].map(shown)),
  ]);
}

/** `toychat owner ROOM`: gives what to print. Throws `no_chat_server` where nobody owns it. */
export async function owner(context: Context): Promise<string> {
  const room = context.argument ?? "";
  const problem = roomNameProblem(room, PROXY_LIMITS.maxRoomBytes);
  if (problem) throw badUsage(problem);
  const answer = await ask(context, "room.owner", { room });
  if (!answer.owner) {
    throw new ToychatError(
      "no_chat_server",
      `nobody owns ${quoted(room)}: no ChatServer is alive, start one by toychat chat`,
    );
  }
  const { id, address, slot } = answer.owner as RpcParams;
  if (context.flags.has("json")) return JSON.stringify({ room, id, address, slot }) + "\n";
  return table([["ROOM", "OWNER", "ADDRESS", "SLOT"], [quoted(room), ...[id, address, slot].map(shown)]]);
}

/** `toychat drain ID`: gives what to print. */
export async function drain(context: Context): Promise<string> {
  const { id, incarnation } = await ask(context, "cluster.drain", { id: context.argument ?? "" });
  if (context.flags.has("json")) return JSON.stringify({ id, incarnation }) + "\n";
  return `asked ${shown(id)} to drain: toychat members shows it until it has ended\n`;
}

/** `toychat token SCOPE`: gives what to print. */
export function token({ argument = "", secret }: Context): Promise<string> {
  const scope = SCOPES.find((known) => known === argument);
  if (!scope) throw badUsage(`there is no scope ${quoted(argument)}${suggestion(argument, SCOPES)}`);
  if (secret !== undefined) return Promise.resolve(bridgeToken(secret, scope) + "\n");
  throw badUsage("a token is derived from the cluster's secret: give it by --secret-file or TOYCHAT_SECRET");
}

function malformed(method: string): ToychatError {
  return new ToychatError("bridge_refused", `the bridge's answer to ${method} is malformed`);
}

/** What came from a bridge, safe to print. */
function shown(value: unknown): string {
  return printable(String(value), 300);
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ").trimEnd() + "\n")
    .join("");
}
