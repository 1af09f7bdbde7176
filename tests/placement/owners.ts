/**
 * Prints, as JSON, digests of the owners of 10,000 rooms in several views: the same on every runtime, or rooms would have
 * two owners in a cluster that mixes them.
 *
 * @module
 */
import { blake2b } from "@noble/hashes/blake2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { createPlacement, placementKey } from "../../src/membership/placement.ts";
import { createView, type Member } from "../../src/membership/view.ts";

const names = Array.from({ length: 10_000 }, (_, i) => {
  if (i % 4 === 0) return `room/${i}`;
  if (i % 4 === 1) return `гостиная-${i}`;
  if (i % 4 === 2) return `🏰${String.fromCharCode(0xd800 + (i % 0x800))}${i}`;
  return "x".repeat(i % 300) + i;
});

const layouts: [slots: number, live: number[]][] = [
  [1, [0]],
  [8, [0, 1, 2, 3, 4, 5, 6, 7]],
  [8, [1, 2, 5, 7]],
  [12, [0, 3]],
  [300, [7, 150, 299]],
];

function chat(slot: number): Member {
  return {
    id: `c${slot}`,
    role: "chat",
    incarnation: "1",
    address: `h:${7000 + slot}`,
    slot,
    state: "alive",
  };
}

const lines: string[] = [];
for (const secret of [undefined, "correct horse"]) {
  const key = placementKey(secret);
  for (const [slots, live] of layouts) {
    const view = createView({ members: live.map(chat), slots, placementKey: key });
    const placement = createPlacement(view, key);
    const owners = names.map((name) => placement.owner(name)?.slot).join();
    lines.push(`${view.digest} ${bytesToHex(blake2b(new TextEncoder().encode(owners), { dkLen: 16 }))}`);
  }
}
console.log(JSON.stringify(lines));
