/**
 * Random members as hosts publish them, for property tests.
 *
 * @module
 */
import fc from "fast-check";
import { isLoopbackIp, isWildcardIp, readIp } from "../../src/membership/serf/ip.ts";
import type { Member } from "../../src/membership/view.ts";

const BASE_36 = "0123456789abcdefghijklmnopqrstuvwxyz".split("");

/** IP addresses of agents, in the form in which views have them. */
export const agentAddress: fc.Arbitrary<string> = fc.oneof(fc.ipV4(), fc.ipV6())
  .map((text) => readIp(text) as { text: string })
  .filter((ip) => !isWildcardIp(readIp(ip.text) as never)).map(({ text }) => text);

/** Ids. */
export const memberId: fc.Arbitrary<string> = fc.string({
  unit: fc.constantFrom(...BASE_36, "-"),
  minLength: 1,
  maxLength: 8,
});

/** Incarnations that can be published. */
export const incarnation: fc.Arbitrary<string> = fc.string({
  unit: fc.constantFrom(...BASE_36),
  minLength: 6,
  maxLength: 6,
});

/** Members that an agent at an address can publish. */
export function publishedMember(agent: string): fc.Arbitrary<Member> {
  const own = agent.includes(":") ? `[${agent}]` : agent;
  const port = fc.integer({ min: 1, max: 65535 });
  const host = fc.oneof(fc.constant(own), fc.constant("127.0.0.1"), fc.ipV4());
  const slot = fc.integer({ min: 0, max: 1023 });
  const state = fc.constantFrom("joining", "alive", "draining");
  const local = isLoopbackIp(readIp(agent) as never);
  return fc.record({
    id: memberId,
    incarnation,
    port,
    host,
    slot,
    state,
    chat: fc.boolean(),
    bare: fc.boolean(),
  })
    .map(({ id, incarnation, port, host, slot, state, chat, bare }): Member => {
      const ip = readIp(host.replace(/[[\]]/g, "")) as never;
      const reachable = !isWildcardIp(ip) && (local || !isLoopbackIp(ip));
      const address = `${chat && !reachable ? own : host}:${!chat && bare ? 0 : port}`;
      if (!chat) return { id, role: "proxy", incarnation, address, state };
      if (state === "draining" && bare) return { id, role: "chat", incarnation, address, state };
      return { id, role: "chat", incarnation, address, slot, state };
    });
}
