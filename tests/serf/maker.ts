/**
 * Makes a network of two hosts, with a program on one of them, and goes on until it is killed.
 *
 * @module
 */
import { Hosts } from "../support/hosts.ts";

const hosts = await Hosts.open(2, { agents: false });
const sleeper = hosts.spawn(1, ["sleep", "1000"]);
console.log(`ready ${JSON.stringify({ pid: sleeper.pid })}`);
setInterval(() => {}, 60_000);
