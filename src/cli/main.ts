/**
 * From the arguments to the exit code.
 *
 * @module
 */
import { errorMessage } from "../lib/errors.ts";
import type { CommandName } from "./commands.ts";
import { type Context, createContext } from "./context.ts";
import { help } from "./help.ts";
import { type Life, live } from "./life.ts";
import { complain, print } from "./output.ts";
import { parse, type Request } from "./parse.ts";
import { drain, members, owner, token } from "./queries.ts";
import { bridge, chat, dev, proxy } from "./roles.ts";
import { isBadUsage } from "./usage.ts";
import { VERSION } from "../lib/build_info.ts";

const SERVERS: Partial<Record<CommandName, (context: Context, life: Life) => Promise<object>>> = {
  bridge,
  chat,
  dev,
  proxy,
};
const QUERIES: Partial<Record<CommandName, (context: Context) => Promise<string>>> = {
  members,
  owner,
  drain,
  token,
};

/**
 * Does what the arguments say.
 *
 * @param args Those after the program's name.
 * @returns the exit code: 0 after a clean stop or an answer, 1 on a failure, 2 on bad usage.
 */
export async function main(args: readonly string[]): Promise<number> {
  let asked: Request | undefined;
  try {
    asked = parse(args);
    return await answer(asked);
  } catch (error) {
    const name = asked?.kind === "run" ? `toychat ${asked.command.name}` : "toychat";
    complain(`${name}: ${errorMessage(error)}\n`);
    return isBadUsage(error) ? 2 : 1;
  }
}

async function answer(asked: Request): Promise<number> {
  if (asked.kind === "help") {
    await print(help(asked.command));
    return 0;
  }
  if (asked.kind === "version") {
    await print(`toychat ${VERSION}\n`);
    return 0;
  }
  const { command, flags, argument } = asked;
  const context = await createContext(command, flags, argument);
  const query = QUERIES[command.name];
  if (query) {
    await print(await query(context));
    return 0;
  }
  const server = SERVERS[command.name];
  return server ? await live(context.log, (life) => server(context, life)) : 1;
}
