/**
 * The application: a module whose default export adds listeners to a ChatServer.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { ChatServer } from "../chat/chat_server.ts";
import { systemClock } from "../lib/clock.ts";
import { errorMessage, printable, ToychatError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";

/** Adds listeners to a ChatServer before it starts. */
export type Application = (chat: ChatServer) => Promise<void>;

const SLOW_MS = 10_000;
const EXPORT = 'export default (chat) => { chat.on("message", …); }';

/**
 * Loads the module; without a path, the application does nothing and messages are relayed.
 *
 * @throws {ToychatError} `application_missing`, `application_failed` (it threw while it loaded), `application_invalid` (its
 * default export is no function). What it gives throws `application_failed`, too.
 */
export async function loadApplication(path: string | undefined, log: Logger): Promise<Application> {
  if (path === undefined) return () => Promise.resolve();
  const shown = printable(path, 200);
  const file = resolve(path);
  if (!existsSync(file)) {
    throw new ToychatError(
      "application_missing",
      `there is no file ${shown}: give the path of a module, such as app.ts`,
    );
  }
  const { default: run } = await load(file, shown);
  if (typeof run !== "function") {
    throw new ToychatError(
      "application_invalid",
      `${shown} has ${run === undefined ? "no default export" : "a default export that is no function"}: ` +
        `write ${EXPORT}`,
    );
  }
  return (chat) => apply(run as (chat: ChatServer) => unknown, chat, shown, log);
}

async function load(file: string, shown: string): Promise<{ default?: unknown }> {
  try {
    return await import(pathToFileURL(file).href);
  } catch (error) {
    throw failed(`${shown} failed while it was loaded`, error);
  }
}

async function apply(
  run: (chat: ChatServer) => unknown,
  chat: ChatServer,
  shown: string,
  log: Logger,
): Promise<void> {
  const cancel = systemClock.after(SLOW_MS, () => {
    log("warn", "application_slow", { application: shown, hint: "its default export has not settled yet" });
  });
  try {
    await run(chat);
  } catch (error) {
    throw failed(`the default export of ${shown} threw`, error);
  } finally {
    cancel();
  }
}

function failed(what: string, error: unknown): ToychatError {
  const { code } = (error ?? {}) as { code?: unknown };
  if (code === "ERR_UNKNOWN_FILE_EXTENSION") {
    return new ToychatError(
      "application_failed",
      `${what}: this Node does not run TypeScript. Use Node 22.18 or later, Deno or Bun, or compile it to JavaScript`,
    );
  }
  const stack = error instanceof Error && error.stack?.includes(error.message)
    ? error.stack
    : errorMessage(error);
  return new ToychatError("application_failed", `${what}:\n${stack}`, { cause: error });
}
