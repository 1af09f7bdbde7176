import { describe, expect, test } from "bun:test";
import { ManualClock } from "../../tests/support/manual_clock.ts";
import { createContext } from "../../transports/context.ts";
import { noLog } from "../lib/log.ts";
import { Metrics } from "../lib/metrics.ts";
import { type AnyTypes, Listeners } from "./events.ts";
import { type Cause, Room } from "./room.ts";

const ADA = { userId: "ada", sessionId: "p1.b.1", proxyId: "p1" };

function cause(): Cause {
  return {
    room: new Room("r"),
    from: "ada",
    origin: { sender: "p1.b.1", next: 1 },
    frames: new Map(),
    routed: 0,
    failure: undefined,
    settled: undefined,
    over: false,
  };
}

function setup() {
  const clock = new ManualClock();
  const metrics = new Metrics();
  const listeners = new Listeners<AnyTypes>(
    clock,
    metrics,
    noLog,
    createContext<Cause | undefined>(),
    10_000,
  );
  const errors: unknown[] = [];
  listeners.emitter.on("error", (error) => errors.push(error));
  const failures: unknown[] = [];
  const message = (why: Cause = cause()) =>
    listeners.message([ADA, "r", "hello"], why, (error) => failures.push(error));
  return { clock, metrics, listeners, errors, failures, message };
}

describe("listeners of a message", () => {
  test("that return nothing are done at once; with none at all the relay decides", () => {
    const { listeners, message } = setup();
    expect(listeners.decides).toBe(false);
    listeners.emitter.on("message", () => {});
    expect([listeners.decides, message()]).toEqual([true, undefined]);
  });

  test("are all called and all waited for", async () => {
    const { listeners, message, failures } = setup();
    const ends: (() => void)[] = [];
    const heard: string[] = [];
    for (const name of ["a", "b"]) {
      listeners.emitter.on("message", (user, room, body) => {
        heard.push(`${name} ${user.userId} ${room} ${body}`);
        return new Promise<void>((resolve) => ends.push(resolve));
      });
    }
    let done = false;
    const waiting = Promise.resolve(message()).then(() => done = true);
    ends[1]!();
    await Promise.resolve();
    expect([heard, done]).toEqual([["a ada r hello", "b ada r hello"], false]);
    ends[0]!();
    await waiting;
    expect(failures).toEqual([]);
  });

  test("that throw fail the message once, are reported each, and keep nobody from hearing", async () => {
    const { listeners, message, failures, errors, metrics } = setup();
    const heard: string[] = [];
    listeners.emitter.on("message", () => {
      throw new Error("first");
    });
    listeners.emitter.on("message", async () => {
      await undefined;
      throw new Error("second");
    });
    listeners.emitter.on("message", () => heard.push("third"));
    await message();
    expect(failures.map(String)).toEqual(["Error: first"]);
    expect(errors.map(String)).toEqual(["Error: first", "Error: second"]);
    expect([heard, metrics.get("toychat_listener_errors_total")]).toEqual([["third"], 2]);
  });

  test("that do not settle in time fail the message", async () => {
    const { clock, listeners, message, failures } = setup();
    listeners.emitter.on("message", () => new Promise(() => {}));
    const done = message();
    clock.advance(9999);
    expect(failures).toEqual([]);
    clock.advance(1);
    await done;
    expect(failures).toMatchObject([{ code: "listener_timeout" }]);
  });

  test("know their message, through awaits, until it is over", async () => {
    const { listeners, message } = setup();
    const why = cause();
    const seen: (Cause | undefined)[] = [];
    let late = (): void => {};
    listeners.emitter.on("message", async () => {
      seen.push(listeners.cause);
      await Promise.resolve();
      seen.push(listeners.cause);
      const later = new Promise<void>((resolve) => late = resolve);
      void later.then(() => seen.push(listeners.cause));
    });
    await message(why);
    why.over = true;
    late();
    for (let i = 0; i < 5; i++) await undefined;
    expect(seen).toEqual([why, why, undefined]);
    expect(listeners.cause).toBeUndefined();
  });
});

test("a listener of errors that throws itself is not called for that", () => {
  const { listeners, metrics } = setup();
  listeners.emitter.on("error", () => {
    throw new Error("worse");
  });
  listeners.emitter.on("join", () => {
    throw new Error("bad");
  });
  expect(listeners.emit("join", ADA, "r")).toBeUndefined();
  expect(metrics.get("toychat_listener_errors_total")).toBe(2);
});
