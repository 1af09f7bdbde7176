/**
 * A process that serves a bridge. Argument: the address where it listens.
 *
 * @module
 */
import process from "node:process";
import { Bridge } from "../../src/http/bridge.ts";
import { systemTransport } from "../../transports/system.ts";

const host = process.argv[2] ?? "127.0.0.1";
const bridge = new Bridge({
  transport: await systemTransport(),
  listen: { host, port: 7374 },
  secret: "s3cret",
  log: (level, event, fields) => console.error(level, event, JSON.stringify(fields)),
});
await bridge.start();
console.log(`ready ${JSON.stringify({ url: bridge.url, address: bridge.address })}`);
process.on("SIGTERM", () => void bridge.stop().then(() => process.exit(0)));
