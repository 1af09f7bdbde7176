import { afterEach, expect, test } from "bun:test";
import { fileURLToPath } from "node:url";
import { Processes } from "../support/processes.ts";
import { runtime, type RuntimeName, runtimes } from "../support/runtimes.ts";
import { SerfAgents } from "../support/serf_agents.ts";

const processes = new Processes();
const agents = new SerfAgents();
afterEach(async () => {
  await processes.end();
  await agents.end();
});

const smoke = fileURLToPath(new URL("./smoke.ts", import.meta.url));

test.each(runtimes().map(({ name }) => name))(
  "a client on %s sets tags, sends and gets events, asks and answers, and ends by itself",
  async (name: RuntimeName) => {
    const agent = await agents.start({ name: "one", rpcAuth: "s3cret", tags: { gone: "1", kept: "2" } });
    const { ready, exit } = await processes.start([...runtime(name).command, smoke, agent.rpc, "s3cret"]);
    expect(ready).toEqual({
      agent: "one",
      members: [{ name: "one", address: agent.bind, port: 7946, status: "alive" }],
      tags: ["__proto__=é", "kept=2", "long=xxx", "role=web"],
      events: ["hello wörld"],
      acks: ["one"],
      responses: ["one: to all"],
      refused: "serf_refused",
    });
    expect(await exit).toEqual({ code: 0, signal: null });
  },
);
