/**
 * Loads all of toychat and says which runtime did it, and where it is: what npm puts in the `PATH` may be a script that
 * starts it. A runtime that cannot run TypeScript from source, or finds no packages, fails here.
 *
 * @module
 */
import process from "node:process";
import "../../mod.ts";
import "../../src/cli/main.ts";
import { systemTransport } from "../../transports/system.ts";

const { name } = await systemTransport();
const versions: Readonly<Record<string, string | undefined>> = process.versions;
console.log(JSON.stringify({ name, version: versions[name], file: process.execPath }));
