import { afterEach, beforeEach, expect, test } from "bun:test";
import { RpcBridge, SECRET } from "../../tests/support/rpc_bridge.ts";
import { ToychatError } from "../lib/errors.ts";
import { BridgeMembership } from "./bridge_client.ts";
import { placementKey } from "./placement.ts";
import { type Claim, Registry } from "./registry.ts";

/** A book that may not accept ChatServers. */
class SealedBook extends Registry {
  sealed = true;
  /** How often it was asked to. */
  refused = 0;

  override claim(claim: Claim): ReturnType<Registry["claim"]> {
    if (!this.sealed || claim.role !== "chat") return super.claim(claim);
    this.refused += 1;
    throw new ToychatError("sealed", "this host hears less than the majority");
  }
}

let world: RpcBridge;
let book: SealedBook;
beforeEach(async () => {
  world = new RpcBridge();
  book = new SealedBook(placementKey(SECRET));
  await world.start({ book });
});
afterEach(() => world.bridge.stop());

function membership(): BridgeMembership {
  const { transport, clock, bridge: { url } } = world;
  return new BridgeMembership({ transport, clock, url, secret: SECRET });
}

const chat = { id: "chat-1", role: "chat", address: "h:7001" } as const;

test("a ChatServer that a bridge refuses all the time as sealed is told so, and that the bridge answers", async () => {
  const from = world.clock.now();
  await expect(world.finish(membership().join(chat))).rejects.toMatchObject({
    code: "sealed",
    message: "this host hears less than the majority",
  });
  expect(world.clock.now() - from).toBeGreaterThanOrEqual(10_000);
  expect(book.refused).toBeGreaterThan(10);
});

test("it joins where the bridge accepts again before its time is up", async () => {
  const joining = membership().join(chat);
  await world.clock.run(5000);
  book.sealed = false;
  const lease = await world.finish(joining);
  expect(lease.held()).toBe(true);
  await world.finish(lease.leave());
});

test("it is told that there is no bridge where the one that refused has gone", async () => {
  const joining = membership().join(chat);
  await world.clock.run(5000);
  await world.bridge.stop();
  await expect(world.finish(joining)).rejects.toMatchObject({
    code: "bridge_unreachable",
    message: expect.stringContaining("(connection refused)"),
  });
});
