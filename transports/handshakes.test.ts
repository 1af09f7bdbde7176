import { describe, expect, test } from "bun:test";
import { ManualClock } from "../tests/support/manual_clock.ts";
import { Handshakes } from "./handshakes.ts";

function listener(most: number) {
  const clock = new ManualClock();
  const dropped: string[] = [];
  const cut: string[] = [];
  const options = { limitMs: 1000, most, cut: (why: string) => void cut.push(why) };
  const handshakes = new Handshakes<string>(options, clock, (socket) => void dropped.push(socket));
  return { clock, dropped, cut, handshakes };
}

describe("TLS handshakes of a listener", () => {
  test("that take too long are cut off, each after its own time", () => {
    const { clock, dropped, cut, handshakes } = listener(10);
    handshakes.begin("first");
    clock.advance(400);
    handshakes.begin("second");
    clock.advance(599);
    expect(dropped).toEqual([]);
    clock.advance(1);
    expect(dropped).toEqual(["first"]);
    clock.advance(400);
    expect(dropped).toEqual(["first", "second"]);
    expect(cut).toEqual(["timeout", "timeout"]);
    expect(handshakes.size).toBe(0);
  });

  test("that are done are left alone, and leave no timer behind", () => {
    const { clock, dropped, handshakes } = listener(10);
    handshakes.begin("quick");
    clock.advance(999);
    expect(handshakes.end("quick")).toBe(true);
    handshakes.begin("next");
    clock.advance(999);
    expect(handshakes.end("next")).toBe(true);
    expect(clock.pending).toBe(0);
    expect(dropped).toEqual([]);
  });

  test("are bounded in number: the one that began first goes, and is known no more", () => {
    const { dropped, cut, handshakes } = listener(2);
    for (const socket of ["a", "b", "c", "d"]) handshakes.begin(socket);
    expect(dropped).toEqual(["a", "b"]);
    expect(cut).toEqual(["evicted", "evicted"]);
    expect(handshakes.end("a")).toBe(false);
    expect(handshakes.end("c")).toBe(true);
    handshakes.begin("e");
    expect(dropped).toEqual(["a", "b"]);
  });

  test("that are cut off may tell of their end at once", () => {
    const clock = new ManualClock();
    const known: boolean[] = [];
    const handshakes: Handshakes<string> = new Handshakes<string>(
      { limitMs: 1000, most: 1 },
      clock,
      (socket) => void known.push(handshakes.end(socket)),
    );
    handshakes.begin("a");
    handshakes.begin("b");
    clock.advance(1000);
    expect(known).toEqual([false, false]);
    expect(handshakes.size).toBe(0);
  });
});
