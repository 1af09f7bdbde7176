/**
 * What the example of hosts prints.
 *
 * @module
 */
import { relative } from "node:path";
import process from "node:process";
import { HELP } from "./commands.ts";
import { type Host, PORTS, type SeenMember } from "./host.ts";

/** The line for programs: where everything is. */
export function readyLine(hosts: readonly Host[], secretFile: string): string {
  return `ready ${JSON.stringify({ role: "hosts", secretFile, hosts: hosts.map(({ ready }) => ready) })}`;
}

/** What has changed of what a host sees, a line for each member: `+ chat-2 alive, slot 1`. */
export function changes(before: readonly SeenMember[], now: readonly SeenMember[]): string[] {
  const known = new Map(before.map((member) => [member.id, member]));
  const left = new Set(now.map(({ id }) => id));
  return [
    ...before.filter(({ id }) => !left.has(id)).map(({ id }) => `- ${id}`),
    ...now.flatMap((member) => {
      const old = known.get(member.id);
      if (!old) return [`+ ${describe(member)}`];
      return describe(old) === describe(member) ? [] : [`  ${describe(member)}`];
    }),
  ];
}

function describe({ id, state, slot }: SeenMember): string {
  return `${id} ${state}${slot === undefined ? "" : `, slot ${slot}`}`;
}

/** Who is in the cluster, as some hosts see it. */
export function memberTable(hosts: readonly Host[]): string {
  return hosts.map(({ number, members }) => {
    const list = members.map(describe).join("; ");
    return `  host ${number} sees ${list || "nobody"}`;
  }).join("\n");
}

/** Who owns a room, as each host sees it. */
export async function ownerTable(hosts: readonly Host[], room: string): Promise<string> {
  const owners = await Promise.all(hosts.map((host) => host.owner(room)));
  return hosts.map(({ number }, index) => {
    const owner = owners[index];
    return `  host ${number} says that ${JSON.stringify(room)} is owned by ${
      owner ? `${owner.id} at ${owner.address}` : "nobody"
    }`;
  }).join("\n");
}

/** What the hints name. */
export interface Surroundings {
  /** What runs a program from source. */
  readonly command: readonly string[];
  /** The repository's root. */
  readonly root: string;
  /** File with the cluster's secret. */
  readonly secretFile: string;
  /** Key of the agents' RPC. */
  readonly rpcKey: string;
}

/** What runs where, and what to try. */
export function hints(
  hosts: readonly Host[],
  { command, root, secretFile, rpcKey }: Surroundings,
): string {
  const [first, second = first] = hosts;
  if (!first || !second) return "";
  const space = String(second.ready["namespace"]);
  const cli = `${command.join(" ")} ${relative(process.cwd(), `${root}/src/cli.ts`)}`;
  return `${hosts.map(hostLine).join("\n")}

Users reach every host from this machine, also one that is cut off (apt install mosquitto-clients):

  mosquitto_sub -h ${first.address} -t lobby -v
  mosquitto_pub -h ${second.address} -t lobby -m hello

What a host itself sees:

  ip netns exec ${space} ${cli} members --secret-file ${secretFile}
  ip netns exec ${space} serf members -rpc-auth=${rpcKey}

Commands, here:

${HELP}

Ctrl-C ends and removes all of it.`;
}

function hostLine({ number, address, ready }: Host): string {
  const where = `MQTT ${address}:${PORTS.mqtt}, HTTP ${address}:${PORTS.http}`;
  return `  host ${number}  ${address.padEnd(13)} ${ready["chat"]} and ${ready["proxy"]} on ${
    ready["runtime"]
  }: ${where}`;
}
