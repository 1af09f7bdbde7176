import { describe, expect, test } from "bun:test";
import { GossipHosts } from "../../../tests/support/gossip_hosts.ts";
import type { ToychatError } from "../../lib/errors.ts";

const OTHER = "dc";

/** Registers ChatServers on host a until one is refused; what the refusal was. */
function fill(all: GossipHosts): { readonly fit: number; readonly error: ToychatError } {
  for (let fit = 0;; fit++) {
    try {
      all.bridge("a").register(`chat-${100 + fit}`, `10.0.0.1:${7000 + fit}`, "aaaaaa");
    } catch (error) {
      return { fit, error: error as ToychatError };
    }
  }
}

async function hosts(otherTag = ""): Promise<GossipHosts> {
  const all = await GossipHosts.open(["a", "b"]);
  all.agent("a").tag(new Map([[OTHER, otherTag]]));
  await all.clock.run(1000);
  return all;
}

describe("members of a host whose agent has other tags", () => {
  test.each([0, 20, 31, 32, 250, 400])(
    "are refused where they do not fit beside %i bytes, and all others know those that fit",
    async (bytes) => {
      const all = await hosts("x".repeat(bytes));
      const { fit, error } = fill(all);
      expect(error).toMatchObject({ code: "tags_full" });
      await all.clock.run(30_000);
      expect(all.list).toHaveLength(fit);
      // None is refused that there is room for: ids of 8 characters take 20 bytes.
      const [published] = all.agent("a").published.slice(-1);
      expect(published?.length).toBeGreaterThan(500 - bytes - 12 - 20);
      all.end();
    },
  );

  test("are refused in words that say how much room the other tags take", async () => {
    const all = await hosts("x".repeat(250));
    expect(fill(all).error.message).toMatch(
      /^\d+ members of this host need more than the 248 bytes that the agent's other tags leave of 500: the first \d+ fit\. /,
    );
    all.end();
  });

  test("are withdrawn where these have grown so that they do not fit any more; the others stay, on every host", async () => {
    const all = await hosts();
    const { fit } = fill(all);
    await all.clock.run(3000);
    expect(all.list).toHaveLength(fit);
    all.agent("a").kill();
    await all.clock.run(500);
    all.agent("a").restart();
    all.agent("a").tag(new Map([[OTHER, "x".repeat(250)]]));
    await all.clock.run(5000);
    const { list, revoked } = all.bridge("a");
    expect(list.length).toBeGreaterThan(8);
    expect(revoked).toHaveLength(fit - list.length);
    expect(new Set(revoked)).toContain(`chat-${100 + fit - 1} full`);
    expect(list[0]).toBe("chat-100 0 alive");
    expect(all.list).toEqual(list);
    // Those that are there may register again, the others not before there is room.
    expect(fill(all)).toMatchObject({ fit: list.length, error: { code: "tags_full" } });
    all.end();
  });
});
