/**
 * A process that serves a bridge. Argument: the port, 0 for any.
 *
 * @module
 */
import process from "node:process";
import { Bridge } from "../../src/http/bridge.ts";
import { systemTransport } from "../../transports/system.ts";

const port = Number(process.argv[2] ?? "0");
const bridge = new Bridge({
  transport: await systemTransport(),
  listen: { host: "127.0.0.1", port },
  secret: "s3cret",
  log: (level, event, fields) => console.error(level, event, JSON.stringify(fields)),
});
await bridge.start();
console.log(`ready ${JSON.stringify({ url: bridge.url, address: bridge.address })}`);
process.on("SIGTERM", () => void bridge.stop().then(() => process.exit(0)));
