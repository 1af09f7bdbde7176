/**
 * The commands that ask: `members` and `owner`.
 *
 * @module
 */
import { noLog } from "../lib/log.ts";
import { ToychatError } from "../lib/errors.ts";
import type { Membership } from "../membership/membership.ts";
import { roomNameProblem } from "../protocols/room_name.ts";
import { PROXY_LIMITS } from "../proxy/options.ts";
import { bridgeMembership, type Context } from "./context.ts";
import { badUsage, quoted } from "./usage.ts";

const ANSWER_MS = 3000;

/** `toychat members`: gives what to print. */
export function members(context: Context): Promise<string> {
  return ask(context, ({ view }) => {
    const rows = view.members.map(({ id, role, address, slot, state }) =>
      slot === undefined ? { id, role, address, state } : { id, role, address, slot, state }
    );
    if (context.flags.has("json")) return JSON.stringify(rows) + "\n";
    if (rows.length === 0) return "no members: start some by toychat chat and toychat proxy\n";
    return table([
      ["ID", "ROLE", "ADDRESS", "SLOT", "STATE"],
      ...rows.map(({ id, role, address, slot, state }) => [id, role, address, String(slot ?? "-"), state]),
    ]);
  });
}

/** `toychat owner ROOM`: gives what to print. Throws `no_chat_server` where nobody owns it. */
export async function owner(context: Context): Promise<string> {
  const room = context.argument ?? "";
  const problem = roomNameProblem(room, PROXY_LIMITS.maxRoomBytes);
  if (problem) throw badUsage(problem);
  return await ask(context, ({ placement }) => {
    const member = placement.owner(room);
    if (!member) {
      throw new ToychatError(
        "no_chat_server",
        `nobody owns ${quoted(room)}: no ChatServer is alive, start one by toychat chat`,
      );
    }
    const { id, address, slot } = member;
    if (context.flags.has("json")) return JSON.stringify({ room, id, address, slot }) + "\n";
    return table([["ROOM", "OWNER", "ADDRESS", "SLOT"], [quoted(room), id, address, String(slot)]]);
  });
}

/** Opens the list, works with it and closes it. */
async function ask(context: Context, work: (membership: Membership) => string): Promise<string> {
  const asked = context.flags.has("verbose") || context.flags.text("log-level") !== undefined;
  const log = asked ? context.log : noLog;
  const membership = bridgeMembership({ ...context, log }, ANSWER_MS);
  try {
    await membership.open();
    return work(membership);
  } finally {
    await membership.close();
  }
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ").trimEnd() + "\n")
    .join("");
}
