/**
 * Runs on a host and tells the example what that host's bridge says: the members, and who owns a room.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { BridgeMembership } from "../../mod.ts";
import { systemTransport } from "../../transports/system.ts";
import { followParent, tellParent } from "../plaza/parent.ts";

const [url = "", secretFile = ""] = process.argv.slice(2);
const membership = new BridgeMembership({
  transport: await systemTransport(),
  url,
  secret: readFileSync(secretFile, "utf8"),
});

followParent((message) => {
  const { owner: room } = message as { owner?: unknown };
  if (typeof room !== "string") return;
  const { id, address, slot } = membership.placement.owner(room) ?? {};
  tellParent({ room, owner: id === undefined ? undefined : { id, address, slot } });
});
membership.onView(({ members }) => {
  tellParent({
    members: members.map(({ id, role, address, slot, state }) => ({ id, role, address, slot, state })),
  });
});
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => process.exit(0));
await membership.open();
console.log("ready {}");
