/**
 * Does what the reader says.
 *
 * @module
 */
import { type Command, HELP, readCommand } from "./commands.ts";
import type { Host } from "./host.ts";
import type { HostNetwork } from "./network.ts";
import { memberTable, ownerTable } from "./output.ts";

/** The reader's commands, carried out. */
export class Console {
  readonly #network: HostNetwork;
  readonly #hosts: readonly Host[];
  readonly #say: (text: string) => void;

  /** `say` prints one thing that has happened. */
  constructor(network: HostNetwork, hosts: readonly Host[], say: (text: string) => void) {
    this.#network = network;
    this.#hosts = hosts;
    this.#say = say;
  }

  /** Carries out a line; resolves with false where the reader wants to end. */
  async line(text: string): Promise<boolean> {
    const command = readCommand(text, this.#hosts.length);
    if (command === undefined) return true;
    if (typeof command === "string") {
      console.log(command);
      return true;
    }
    if (command.word === "quit") return false;
    try {
      await this.#do(command);
    } catch (error) {
      console.log(error instanceof Error ? error.message : error);
    }
    return true;
  }

  async #do(command: Exclude<Command, { word: "quit" }>): Promise<void> {
    switch (command.word) {
      case "help":
        return console.log(HELP);
      case "members":
        return console.log(memberTable(this.#some(command.host)));
      case "owner":
        return console.log(await ownerTable(this.#hosts, command.room));
      case "cut":
        await this.#network.cut(command.host, command.way);
        return this.#say(`host ${command.host} is cut off${ways[command.way]}`);
      case "part":
        await this.#network.part(command.some, command.others);
        return this.#say(`${command.some} and ${command.others} are cut apart`);
      case "heal":
        await this.#network.heal(command.host);
        return this.#say(command.host === undefined ? "all is healed" : `host ${command.host} is healed`);
    }
    const { word, part, host } = command;
    if (word === "start") this.#say(`${part} ${host}: it starts`);
    const refused = await this.#some(host)[0]?.do(word, part);
    this.#say(refused ?? `${part} ${host}: ${done[word]}`);
  }

  #some(host: number | undefined): readonly Host[] {
    return this.#hosts.filter(({ number }) => host === undefined || host === number);
  }
}

const ways = { in: ": it hears no other host", out: ": no other host hears it", both: "" } as const;

const done = {
  kill: "killed",
  stop: "has ended in good order",
  freeze: "frozen",
  thaw: "goes on",
  start: "ready",
} as const;
