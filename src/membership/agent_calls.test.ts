import { afterEach, beforeEach, expect, test } from "bun:test";
import { rpc, RpcBridge, SECRET } from "../../tests/support/rpc_bridge.ts";
import type { LastingCall } from "./agent_calls.ts";
import { placementKey } from "./placement.ts";
import { Registry } from "./registry.ts";

/** A book with a member of another host, whose bridge answers at once, while the query for that goes on. */
class TwoHosts extends Registry {
  /** Ends each query. */
  readonly ends: (() => void)[] = [];
  elsewhere = true;

  drainElsewhere(): LastingCall<boolean> | undefined {
    if (!this.elsewhere) return undefined;
    return { answer: Promise.resolve(true), over: new Promise<void>((resolve) => this.ends.push(resolve)) };
  }
}

let world: RpcBridge;
let book: TwoHosts;
beforeEach(async () => {
  world = new RpcBridge();
  book = new TwoHosts(placementKey(SECRET));
  book.claim({ id: "chat-1", role: "chat", address: "h:7001", incarnation: "aaaaaa" });
  await world.start({ book, limits: { maxAgentCalls: 2 } });
});
afterEach(() => world.bridge.stop());

async function drain(): Promise<unknown> {
  const { body: { result, error } } = await world.post(rpc("cluster.drain", { id: "chat-1" }), "admin");
  return result?.id ?? (error?.data as { readonly code?: unknown } | undefined)?.code;
}

test("members of other hosts are asked to drain within the bound on calls, each of which counts until its query is over", async () => {
  expect([await drain(), await drain()]).toEqual(["chat-1", "chat-1"]);
  expect([await drain(), await drain(), book.ends.length]).toEqual([
    "too_many_agent_calls",
    "too_many_agent_calls",
    2,
  ]);
  const agents = await world.post(rpc("serf.members"), "admin");
  expect(agents.body.error?.data).toEqual({ code: "too_many_agent_calls" });
  book.ends[0]?.();
  expect([await drain(), await drain()]).toEqual(["chat-1", "too_many_agent_calls"]);
});

test("where no other host has the member no call is made, and none counts", async () => {
  book.elsewhere = false;
  for (let i = 0; i < 5; i++) expect(await drain()).toBe("member_unreachable");
  book.elsewhere = true;
  expect(await drain()).toBe("chat-1");
});
