import { expect, test } from "bun:test";
import { Emitter } from "./emitter.ts";

type Events = { say: [text: string]; done: [] };

test("listeners hear in the order in which they were added, until they are removed", () => {
  const emitter = new Emitter<Events>();
  const heard: string[] = [];
  const off = emitter.on("say", (text) => heard.push(`a ${text}`));
  emitter.on("say", (text) => heard.push(`b ${text}`));
  emitter.emit("say", "1");
  off();
  off();
  emitter.emit("say", "2");
  emitter.emit("done");
  expect(heard).toEqual(["a 1", "b 1", "b 2"]);
});

test("once hears one event, also where it causes the next one itself", () => {
  const emitter = new Emitter<Events>();
  let count = 0;
  emitter.once("done", () => {
    count++;
    emitter.emit("done");
  });
  emitter.emit("done");
  expect(count).toBe(1);
});

test("a listener that is added or removed while an event is told does not change who hears that one", () => {
  const emitter = new Emitter<Events>();
  const heard: string[] = [];
  const late = (): number => heard.push("late");
  const off = emitter.on("done", () => {
    heard.push("first");
    emitter.on("done", late);
    offSecond();
  });
  const offSecond = emitter.on("done", () => heard.push("second"));
  emitter.emit("done");
  expect(heard).toEqual(["first", "second"]);
  off();
  emitter.emit("done");
  expect(heard).toEqual(["first", "second", "late"]);
});

test("the same function added twice is removed once at a time", () => {
  const emitter = new Emitter<Events>();
  let count = 0;
  const listener = (): number => count++;
  emitter.on("done", listener);
  emitter.on("done", listener);
  emitter.off("done", listener);
  emitter.emit("done");
  expect(count).toBe(1);
  expect(emitter.listeners("done").length).toBe(1);
});
