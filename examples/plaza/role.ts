/**
 * A role of the command line, as `toychat chat`, that ends when the plaza does.
 *
 * @module
 */
import process from "node:process";
import { exit } from "../../src/cli/life.ts";
import { main } from "../../src/cli/main.ts";
import { followParent } from "./parent.ts";

followParent();
void main(process.argv.slice(2)).then(exit);
