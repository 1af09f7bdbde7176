/**
 * What the reader can say: one command a line.
 *
 * @module
 */
import type { Way } from "./network.ts";

/** The processes of a host that can be ended and started. */
export const PARTS = ["agent", "bridge", "chat", "proxy"] as const;
/** One of them. */
export type Part = typeof PARTS[number];

/** What can be done to a process. */
export const DEEDS = ["kill", "stop", "freeze", "thaw", "start"] as const;
/** One of them. */
export type Deed = typeof DEEDS[number];

/** A command that was understood. */
export type Command =
  | { readonly word: "cut"; readonly host: number; readonly way: Way }
  | { readonly word: "part"; readonly some: readonly number[]; readonly others: readonly number[] }
  | { readonly word: "heal"; readonly host: number | undefined }
  | { readonly word: Deed; readonly part: Part; readonly host: number }
  | { readonly word: "members"; readonly host: number | undefined }
  | { readonly word: "owner"; readonly room: string }
  | { readonly word: "help" }
  | { readonly word: "quit" };

/** What the commands do, for the reader. */
export const HELP = `  cut 2             cuts host 2 off from the other hosts (cut 2 in, cut 2 out: one way)
  part 1,2 3        cuts two groups of hosts apart
  heal              mends all of it (heal 2: what is between host 2 and the others)
  kill chat 1       ends a process as a crash would: chat, proxy, bridge or agent of a host
  freeze chat 1     stops one in its tracks; thaw chat 1 lets it go on
  stop chat 1       ends one in good order: a ChatServer hands its rooms over first
  start chat 1      starts one that has ended
  members           who is in the cluster, as each host sees it
  owner ROOM        which ChatServer owns a room, as each host sees it
  quit              ends and removes everything, as Ctrl-C does`;

class Mistake extends Error {}

/**
 * Reads a line.
 *
 * @param size how many hosts there are.
 * @returns the command; a text that says what to write instead where it is none; undefined of an empty line.
 */
export function readCommand(line: string, size: number): Command | string | undefined {
  const [word = "", ...rest] = line.trim().split(/\s+/);
  if (word === "") return undefined;
  try {
    return understand(word, rest, size);
  } catch (error) {
    if (error instanceof Mistake) return error.message;
    throw error;
  }
}

function understand(word: string, rest: readonly string[], size: number): Command {
  const [first, second] = rest;
  const optional = first === undefined ? undefined : () => hostOf(first, size);
  if (word === "cut") return { word, host: hostOf(first, size), way: wayOf(second) };
  if (word === "heal" || word === "members") return { word, host: optional?.() };
  if (word === "part") return { word, ...groupsOf(first, second, size) };
  if (word === "owner") {
    if (first === undefined) throw new Mistake("which room? owner lobby");
    return { word, room: rest.join(" ") };
  }
  if (word === "help" || word === "quit") return { word };
  if (word === "exit") return { word: "quit" };
  const deed = DEEDS.find((name) => name === word);
  if (!deed) throw new Mistake(`there is no command ${JSON.stringify(word)}: these are\n\n${HELP}`);
  const part = PARTS.find((name) => name === first);
  if (!part) throw new Mistake(`${deed} what? ${deed} chat 1, or ${PARTS.join(", ")}`);
  return { word: deed, part, host: hostOf(second, size) };
}

function hostOf(text: string | undefined, size: number): number {
  const host = /^\d{1,3}$/.test(text ?? "") ? Number(text) : 0;
  if (host >= 1 && host <= size) return host;
  throw new Mistake(
    text === undefined ? `which host? 1 to ${size}` : `${JSON.stringify(text)} is no host: 1 to ${size}`,
  );
}

function wayOf(text: string | undefined): Way {
  if (text === undefined || text === "both") return "both";
  if (text === "in" || text === "out") return text;
  throw new Mistake(`${JSON.stringify(text)} is no way: in, out or both`);
}

function groupsOf(
  first: string | undefined,
  second: string | undefined,
  size: number,
): { some: number[]; others: number[] } {
  if (first === undefined || second === undefined) throw new Mistake("which groups? part 1,2 3");
  const [some = [], others = []] = [first, second].map((text) =>
    text.split(",").map((one) => hostOf(one, size))
  );
  const both = some.find((host) => others.includes(host));
  if (both !== undefined) throw new Mistake(`host ${both} is in both groups`);
  return { some, others };
}
