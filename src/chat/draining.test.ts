import { expect, test } from "bun:test";
import type { Lease } from "../membership/membership.ts";
import { createView } from "../membership/view.ts";
import { isWithdrawn } from "./draining.ts";

function view(incarnation: string) {
  const members = [
    { id: "c1", role: "chat", incarnation, address: "127.0.0.1:1", slot: 0, state: "joining" } as const,
  ];
  return createView({ members, slots: 1, revision: 1, placementKey: new Uint8Array([1]) });
}

const lease = (held: boolean): Lease => ({ held: () => held }) as unknown as Lease;

test("a life is withdrawn once its lease is lost and the list has another life of it, or none", () => {
  expect(isWithdrawn(lease(false), view("bbbbbb"), "c1.aaaaaa")).toBe(true);
  expect(isWithdrawn(lease(false), view("aaaaaa"), "c1.aaaaaa")).toBe(false);
  expect(isWithdrawn(lease(true), view("bbbbbb"), "c1.aaaaaa")).toBe(false);
  expect(isWithdrawn(undefined, view("bbbbbb"), undefined)).toBe(false);
});
