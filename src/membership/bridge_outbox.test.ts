import { beforeEach, expect, test } from "bun:test";
import type { Connection } from "../lib/transport.ts";
import { BridgeOutbox } from "./bridge_outbox.ts";

let sent: string[];
let full: boolean;
let buffered: number;
let leftOut: string[];
let newest: string;
let outbox: BridgeOutbox;

beforeEach(() => {
  [sent, full, buffered, leftOut, newest] = [[], false, 0, [], "view 0"];
  const connection = {
    get bufferedAmount() {
      return buffered;
    },
    send(text: string) {
      sent.push(text);
      return !full;
    },
  } as unknown as Connection;
  outbox = new BridgeOutbox(connection, {
    viewText: () => newest,
    overflowText: (lost) => `overflow ${JSON.stringify(lost)}`,
    leftOut: (what) => leftOut.push(what),
  });
});

test("who keeps up gets everything", () => {
  outbox.view("view 1");
  outbox.event(1, "event 1");
  outbox.query("query 1");
  outbox.drained();
  expect(sent).toEqual(["view 1", "event 1", "query 1"]);
  expect(leftOut).toEqual([]);
});

test("who does not gets the newest view alone, once", () => {
  full = true;
  outbox.view("view 1");
  for (const n of [2, 3, 4]) outbox.view(newest = `view ${n}`);
  expect(sent).toEqual(["view 1"]);
  full = false;
  outbox.drained();
  outbox.drained();
  outbox.view("view 5");
  expect(sent).toEqual(["view 1", "view 4", "view 5"]);
  expect(leftOut).toEqual(["view", "view"]);
});

test("a burst of events is for who reads as well as they come", () => {
  full = true;
  buffered = 200_000;
  for (const n of [1, 2, 3]) outbox.event(n, `event ${n}`);
  expect([sent.length, leftOut]).toEqual([3, []]);
});

test("who does not is told which events were lost, before the view, and gets the next ones", () => {
  [full, buffered] = [true, 300_000];
  outbox.event(6, "event 6");
  for (const n of [7, 9]) outbox.event(n, `event ${n}`);
  outbox.query("query 1");
  outbox.view("view 1");
  full = false;
  outbox.drained();
  outbox.event(10, "event 10");
  const overflow = 'overflow {"events":2,"from":7,"to":9,"queries":1}';
  expect(sent).toEqual(["event 6", overflow, "view 0", "event 10"]);
  expect(leftOut).toEqual(["event", "event", "event"]);
});

test("who is told of a loss and still does not read loses on, and is told again", () => {
  [full, buffered] = [true, 300_000];
  outbox.event(1, "event 1");
  outbox.event(2, "event 2");
  outbox.drained();
  outbox.event(3, "event 3");
  full = false;
  outbox.drained();
  const overflow = (n: number) => `overflow {"events":1,"from":${n},"to":${n},"queries":0}`;
  expect(sent).toEqual(["event 1", overflow(2), overflow(3)]);
});

test("answers are sent at once, until far too many wait to be read", () => {
  full = true;
  expect([outbox.answer("answer 1"), outbox.answer("answer 2")]).toEqual([true, true]);
  outbox.urgent("drain");
  buffered = 5_000_000;
  expect(outbox.answer("answer 3")).toBe(false);
  expect(sent).toEqual(["answer 1", "answer 2", "drain"]);
});
