import { expect, test } from "bun:test";
import { VirtualClock } from "../../tests/support/virtual_clock.ts";
import { memoryTransport } from "../../transports/memory.ts";
import { SerfMembership } from "../membership/serf/serf_membership.ts";
import { Bridge } from "./bridge.ts";

const clock = new VirtualClock();
const transport = memoryTransport({ clock });

test.each([NaN, 0, 1.5, -3, 1025, Infinity, "3", null])(
  "a bridge, or a role by itself, that is to wait for %p hosts is refused: nobody could ever join",
  (given) => {
    const expectHosts = given as number;
    const words = `expectHosts is ${
      given === "3" ? '"3"' : given
    }: give a whole number from 1 to 1024, or leave`;
    const serf = { onPartition: "seal", expectHosts } as const;
    for (
      const make of [
        () => new Bridge({ transport, clock, serf }),
        () => new SerfMembership({ transport, clock, ...serf }),
      ]
    ) {
      expect(make).toThrow(words);
    }
  },
);

test.each([1, 1024, undefined])("a bridge may be told to wait for %p hosts", (expectHosts) => {
  const serf = expectHosts === undefined ? {} : { expectHosts };
  expect(() => new Bridge({ transport, clock, serf: { onPartition: "seal", ...serf } })).not.toThrow();
});
