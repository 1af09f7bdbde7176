import { afterEach, describe, expect, test } from "bun:test";
import { fakeMember } from "../../../tests/support/fake_serf_agent.ts";
import { FakeSerf } from "../../../tests/support/fake_serf_client.ts";
import type { AgentEvent } from "../bridge_agent.ts";
import { HostAgent } from "./host_agent.ts";
import type { SerfHost, SerfHostStatus } from "./serf_host.ts";

const KEY = "the agent's own key";
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

let serf: FakeSerf;
let status: SerfHostStatus;
afterEach(() => serf.client.stop());

async function opened(): Promise<HostAgent> {
  serf = new FakeSerf({ agent: { authKey: KEY }, client: { authKey: KEY } });
  await serf.start();
  status = { agent: "a", connected: true, sealed: false, onPartition: "serve", hosts: [] };
  const host = {
    get status() {
      return status;
    },
    dismiss: () => {},
  } as Partial<SerfHost> as SerfHost;
  return new HostAgent(serf.client, host, serf.clock);
}

describe("the agent as callers of the bridge see it", () => {
  test("stands as its host does, without a name before it was reached", async () => {
    const agent = await opened();
    expect(agent.status).toEqual({ connected: true, name: "a", sealed: false, onPartition: "serve" });
    status = { ...status, agent: "", connected: false, sealed: true };
    expect(agent.status).toEqual({ connected: false, name: undefined, sealed: true, onPartition: "serve" });
  });

  test("lists agents with whole addresses", async () => {
    const agent = await opened();
    serf.agent.members.push(
      fakeMember("b", { address: "10.0.0.2", status: "failed", tags: new Map([["k", "v"]]) }),
    );
    const members = await serf.end(agent.members());
    expect(members.map(({ name, address, status }) => [name, address, status])).toEqual([
      ["a", "127.0.0.1:7946", "alive"],
      ["b", "10.0.0.2:7946", "failed"],
    ]);
    expect([...members[1]?.tags ?? []]).toEqual([["k", "v"]]);
  });

  test("sends events uncoalesced, and tells those that arrive, and queries, which can be answered", async () => {
    const agent = await opened();
    const heard: AgentEvent[] = [];
    const end = agent.onEvent((event) => heard.push(event));
    await serf.end(agent.userEvent("deploy", bytes("now")));
    expect(serf.agent.userEvents).toMatchObject([{ name: "deploy", coalesce: false }]);
    let answer = "";
    serf.agent.deliverQuery(
      "load",
      bytes("?"),
      3000,
      (_from, payload) => answer = new TextDecoder().decode(payload),
    );
    serf.agent.deliverMembers("member-update", []);
    await serf.clock.settle();
    expect(heard).toMatchObject([{ type: "event", name: "deploy", payload: bytes("now") }, {
      type: "query",
      name: "load",
    }]);
    const query = heard[1] as Extract<AgentEvent, { type: "query" }>;
    await serf.end(agent.respond(query.id, bytes("0.5")));
    expect(answer).toBe("0.5");
    end();
    serf.agent.deliverUserEvent({ name: "late", payload: bytes(""), coalesce: false });
    await serf.clock.settle();
    expect(heard).toHaveLength(2);
  });

  test("gives what came of a query: who got it, and what was answered", async () => {
    const agent = await opened();
    const asked = agent.query({ name: "load", payload: bytes("?"), timeoutMs: 500, agents: ["a"] });
    const told = await serf.end(asked);
    expect(told).toEqual({ acks: ["a"], answers: [] });
  });

  for (const onPartition of ["serve", "seal"] as const) {
    test(`forgets an agent with ${onPartition}, with seal only once bridges have seen it leave`, async () => {
      const agent = await opened();
      status = { ...status, onPartition };
      serf.agent.members.push(fakeMember("b", { status: "failed" }));
      const forgotten = agent.forceLeave("b", true);
      let leftAt = Infinity;
      const seen = (): string | undefined => serf.agent.members.find(({ name }) => name === "b")?.status;
      await serf.clock.until(() => {
        if (seen() === "left") leftAt = Math.min(leftAt, serf.clock.now());
        return seen() === undefined;
      }, 5000);
      const shownMs = Math.max(0, serf.clock.now() - leftAt);
      await serf.end(forgotten);
      expect([seen(), shownMs >= 2000]).toEqual([undefined, onPartition === "seal"]);
    });
  }

  test("tells what it refused in its own words", async () => {
    const agent = await opened();
    serf.agent.refusals.set("force-leave", "no such node");
    const error = await serf.end(agent.forceLeave("x", false).catch((error) => error));
    expect(error.code).toBe("agent_refused");
    expect(error.message).toContain("no such node");
  });

  test("tells that it took too long, and that it cannot be reached, without its key or its address", async () => {
    const agent = await opened();
    serf.agent.hanging.add("members");
    expect(await serf.codeOf(agent.members())).toBe("agent_timeout");
    await serf.agent.kill();
    await serf.clock.run(100);
    const error = await serf.end(agent.members().catch((error) => error));
    expect(error.code).toBe("agent_unreachable");
    expect(error.message).not.toContain(KEY);
    expect(error.message).not.toContain("7373");
  });
});
