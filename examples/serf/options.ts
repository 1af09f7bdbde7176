/**
 * The example's flags, and what it takes to run it.
 *
 * @module
 */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { obstacle } from "./ip.ts";

/** What the flags say. */
export interface Options {
  readonly hosts: number;
  readonly partition: "serve" | "seal";
  readonly verbose: boolean;
}

const USAGE =
  "usage: hosts.ts [--hosts N] [--partition serve|seal] [--verbose]; 2 to 9 hosts, 3 without the flag";

/** Reads the flags; gives a text that says what to write instead where they are wrong. */
export function readOptions(args: readonly string[]): Options | string {
  const options = {
    hosts: { type: "string" },
    partition: { type: "string" },
    verbose: { type: "boolean" },
  } as const;
  try {
    const { hosts = "3", partition = "serve", verbose = false } =
      parseArgs({ args: [...args], options }).values;
    if (!/^[2-9]$/.test(hosts)) return `--hosts ${JSON.stringify(hosts)}: 2 to 9\n${USAGE}`;
    if (partition !== "serve" && partition !== "seal") {
      return `--partition ${JSON.stringify(partition)}: serve or seal\n${USAGE}`;
    }
    return { hosts: Number(hosts), partition, verbose };
  } catch (error) {
    return `${error instanceof Error ? error.message : error}\n${USAGE}`;
  }
}

/** What is missing here to run the example; undefined where everything is there. */
export function missing(): string | undefined {
  const problem = obstacle();
  if (problem) return problem;
  const needed = [["ip", "iproute2"], ["serf", "serf"]] as const;
  const absent = needed.filter(([program]) => !isThere(program));
  if (absent.length === 0) return undefined;
  const programs = absent.map(([program]) => program).join(" and ");
  return `not in the PATH: ${programs}. On Debian: apt-get install ${
    absent.map(([, name]) => name).join(" ")
  }`;
}

function isThere(program: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
