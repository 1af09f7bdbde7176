/**
 * Which program each role runs in a cluster.
 *
 * @module
 */
import process from "node:process";
import { join } from "node:path";
import { emptyProject, oldNodePath, packInto, type Project, run } from "../package/project.ts";
import { cli } from "../support/processes.ts";
import { type Runtime, runtime, type RuntimeName } from "../support/runtimes.ts";

/** A way to run `toychat`. */
export interface Program {
  /** The runtime. */
  readonly name: RuntimeName;
  /** What goes before the role; made when it is first asked for. */
  command(): readonly string[];
  /** Variables that it needs. */
  readonly env: Readonly<Record<string, string>>;
}

/** The programs of one cluster. */
export interface Lineup {
  readonly name: string;
  readonly bridge: Program;
  /** Two. */
  readonly proxies: readonly Program[];
  /** Three. */
  readonly chats: readonly Program[];
  /** Links and the bridge ask for it; default none. */
  readonly secret?: string;
  /** Whether it goes through what takes long and depends little on the runtime, too. */
  readonly thorough: boolean;
}

const wanted = process.env["TOYCHAT_TEST_RUNTIME"];

function fromSource(on: Runtime): Program {
  return { name: on.name, command: () => [...on.command, cli], env: {} };
}

let installed: Project | undefined;

/** The `toychat` program of the npm package, installed into an empty project when it is first asked for. */
function installedProgram(): string {
  if (!installed) {
    installed = emptyProject({});
    const { folder } = installed;
    const tarball = packInto(folder);
    run(["npm", "install", "--no-audit", "--no-fund", "--prefer-offline", tarball], folder, oldNodePath());
  }
  return join(installed.folder, "node_modules/.bin/toychat");
}

/** Removes the installed package. */
export function uninstall(): void {
  installed?.remove();
  installed = undefined;
}

/** Its first line has it run on the `node` of the `PATH`. */
const fromPackage: Program = {
  name: "node20",
  command: () => [installedProgram()],
  env: { PATH: oldNodePath() },
};

function alone(program: Program): Lineup {
  const { name } = program;
  const source = name === "node20" ? "the npm package" : "source";
  return {
    name: `${name.replace("node20", "node")} ${runtime(name).version} from ${source}`,
    bridge: program,
    proxies: [program, program],
    chats: [program, program, program],
    thorough: wanted !== undefined,
  };
}

/**
 * A cluster of each program alone, and two of all of them, each role on another program. Where `TOYCHAT_TEST_RUNTIME` is set,
 * only those of that runtime alone.
 */
export function lineups(): Lineup[] {
  const [bun, deno, node] = (["bun", "deno", "node"] as const).map((name) => fromSource(runtime(name))) as [
    Program,
    Program,
    Program,
  ];
  const programs = [bun, deno, node, fromPackage];
  if (wanted) return programs.filter(({ name }) => name.startsWith(wanted)).map(alone);
  return [
    ...programs.map(alone),
    {
      name: "bridge on bun, proxies on deno and the package, ChatServers on node, bun and deno",
      bridge: bun,
      proxies: [deno, fromPackage],
      chats: [node, bun, deno],
      secret: "tests of the cluster",
      thorough: true,
    },
    {
      name: "bridge on the package, proxies on bun and node, ChatServers on the package, deno and bun",
      bridge: fromPackage,
      proxies: [bun, node],
      chats: [fromPackage, deno, bun],
      thorough: true,
    },
  ];
}
