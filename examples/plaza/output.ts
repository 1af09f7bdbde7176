/**
 * What the plaza prints.
 *
 * @module
 */
import { relative } from "node:path";
import process from "node:process";
import type { ProcessInfo } from "./state.ts";

/** The line for programs: the first proxy's ports, and every process. */
export function readyLine(processes: readonly ProcessInfo[]): string {
  const proxies = processes.filter(({ role }) => role === "proxy")
    .map(({ id, http, mqtt, runtime, pid }) => ({ id, http, mqtt, runtime, pid }));
  const chats = processes.filter(({ role }) => role === "chat")
    .map(({ id, listen, runtime, pid }) => ({ id, listen, runtime, pid }));
  const [bridge] = processes.filter(({ role }) => role === "bridge")
    .map(({ listen, runtime, pid }) => ({ listen, runtime, pid }));
  const [first] = proxies;
  return `ready ${
    JSON.stringify({ role: "plaza", http: first?.http, mqtt: first?.mqtt, proxies, chats, bridge })
  }`;
}

/** Which process runs on what. */
export function processTable(processes: readonly ProcessInfo[]): string {
  return processes.map(({ id, runtime, version, pid, mqtt, http, listen }) => {
    const where = mqtt === undefined ? listen : `MQTT ${mqtt}, HTTP ${http}`;
    return `  ${id.padEnd(8)} ${`${runtime} ${version}`.padEnd(14)} pid ${String(pid).padEnd(8)} ${where}`;
  }).join("\n");
}

/** What to try. */
export function hints(
  processes: readonly ProcessInfo[],
  { command, root }: { command: readonly string[]; root: string },
): string {
  const [first, second] = processes.filter(({ role }) => role === "proxy");
  const bridge = processes.find(({ role }) => role === "bridge")?.listen;
  const cli = `${command.join(" ")} ${relative(process.cwd(), `${root}/src/cli.ts`)}`;
  return `Open  http://127.0.0.1:${first?.http}/  in a browser or two, walk about, talk, and kill a server.

From another terminal, in the same rooms (apt install mosquitto-clients):

  mosquitto_sub -p ${first?.mqtt} -t plaza/fountain -v
  mosquitto_pub -p ${second?.mqtt} -i ada -t plaza/fountain -m "hello"

The areas are plaza/cafe, plaza/fountain, plaza/stage and plaza/garden; any other topic is a room as well.
Without mosquitto, npm has a client of each kind:

  npx --yes mqtt sub -h 127.0.0.1 -p ${first?.mqtt} -t plaza/fountain -v
  npx --yes wscat -c "ws://127.0.0.1:${first?.http}/ws?user=ada"
  > {"type":"join","room":"plaza/fountain"}
  > {"type":"message","room":"plaza/fountain","body":"hello"}

Who is in the cluster, and who owns a room:

  ${cli} members --bridge ws://${bridge}/rpc
  ${cli} owner plaza/fountain --bridge ws://${bridge}/rpc

Ctrl-C closes the plaza and ends all of its processes.`;
}
