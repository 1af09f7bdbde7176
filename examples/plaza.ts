/**
 * What does all of it look like together? A town square served by several processes: a bridge, two proxies and three
 * ChatServers, on Deno, Bun and Node where those are there.
 *
 * ```sh
 * npx --yes deno run -A examples/plaza.ts          # or: bun examples/plaza.ts, or node (22.18 or later)
 * ```
 *
 * Open the page that it names, walk about, talk, and kill the ChatServer that owns the area you stand in: nobody's
 * connection ends. MQTT clients are in the same rooms; it prints what to try. Ctrl-C ends every process.
 *
 * With `--verbose` it shows the logs of its processes. The usual ports (MQTT 1883 and 1884, HTTP 8080 and 8081, the
 * bridge 7374) are used where they are free, else others.
 * On stdout there is one line `ready {…}`, with `mqtt` and `http` of the first proxy and all of them under `proxies`.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { Cluster } from "./plaza/cluster.ts";
import { hints, processTable, readyLine } from "./plaza/output.ts";
import { findRuntimes, root } from "./plaza/runtimes.ts";

const USAGE = "usage: plaza.ts [--verbose]; it takes the usual ports where they are free, else others";

/** Whether it shows the logs of its processes. */
function readFlags(): boolean {
  try {
    return parseArgs({ options: { verbose: { type: "boolean" } } }).values.verbose ?? false;
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    process.exit(2);
  }
}

async function main(): Promise<void> {
  const verbose = readFlags();
  console.error("The plaza opens: looking which runtimes are there …");
  const runtimes = await findRuntimes();
  console.error(
    `Starting six processes on ${runtimes.map(({ name, version }) => `${name} ${version}`).join(", ")} …`,
  );
  const cluster = new Cluster(runtimes, verbose);
  endWith(cluster);
  try {
    await cluster.start();
  } catch (error) {
    cluster.kill9();
    throw error;
  }
  const { processes } = cluster;
  console.log(readyLine(processes));
  console.log(
    `\n${processTable(processes)}\n\n${hints(processes, { command: runtimes[0]?.command ?? [], root })}\n`,
  );
}

/** Whatever ends this program ends all of its processes; should it be killed itself, they notice by their pipes. */
function endWith(cluster: Cluster): void {
  let stopping = false;
  const stop = (): void => {
    if (stopping) {
      cluster.kill9();
      process.exit(1);
    }
    stopping = true;
    console.error("\nThe plaza closes.");
    cluster.stop().then(() => process.exit(0), () => process.exit(1));
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
}

main().catch((error) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
