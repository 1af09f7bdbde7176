/**
 * A process that joins a bridge with one member and prints, a JSON line each, what its lease and its views do. Arguments:
 * the bridge's URL, the member's id.
 *
 * @module
 */
import process from "node:process";
import { BridgeMembership } from "../../src/membership/bridge_client.ts";
import { systemTransport } from "../../transports/system.ts";

const [url, id] = process.argv.slice(2) as [string, string];
const say = (event: string, value: unknown): void => console.log(JSON.stringify({ event, value }));

const membership = new BridgeMembership({ transport: await systemTransport(), url, secret: "s3cret" });
membership.onView((view) => say("view", view.members.map((member) => member.id).join()));
const lease = await membership.join({ id, role: "chat", address: "127.0.0.1:7001" });

// While the process is frozen nothing of this runs; the first call afterwards shows what it finds.
let before = performance.now();
let held = true;
setInterval(() => {
  const now = performance.now();
  if (now - before > 2500) say("woke", lease.held());
  before = now;
  if (held !== lease.held()) say("held", held = lease.held());
}, 10);

lease.onRejoin(() => say("rejoined", lease.slot));
process.on("SIGTERM", () => void membership.close().then(() => process.exit(0)));
console.log(`ready ${JSON.stringify({ slot: lease.slot })}`);
