import { describe, expect, test } from "bun:test";
import { Flags } from "./flags.ts";

const flags = (values: Record<string, string>): Flags =>
  new Flags(new Map(Object.entries(values).map(([name, value]) => [name, { value, source: `--${name}` }])));

describe("ports", () => {
  test("are numbers, off, or the default", () => {
    expect(flags({ mqtt: "0" }).port("mqtt", 1883)).toBe(0);
    expect(flags({ mqtt: "65535" }).port("mqtt", 1883)).toBe(65535);
    expect(flags({ mqtt: "off" }).port("mqtt", 1883)).toBeUndefined();
    expect(flags({}).port("mqtt", 1883)).toBe(1883);
  });

  test.each(["65536", "-1", "1.5", "1e3", "0x10", "abc", " 1", "on"])("are not %j", (value) => {
    expect(() => flags({ mqtt: value }).port("mqtt", 1883)).toThrow(
      "give a port from 1 to 65535, 0 to have one picked, or off",
    );
  });
});

describe("--listen", () => {
  test.each([
    ["127.0.0.1:7001", { host: "127.0.0.1", port: 7001 }],
    ["localhost:0", { host: "localhost", port: 0 }],
    ["[::1]:7001", { host: "::1", port: 7001 }],
    ["[fe80::1%eth0]:1", { host: "fe80::1%eth0", port: 1 }],
    [":7001", { host: "127.0.0.1", port: 7001 }],
    ["7001", { host: "127.0.0.1", port: 7001 }],
  ])("reads %s", (value, expected) => {
    expect(flags({ listen: value }).listen(0)).toEqual(expected);
  });

  test.each(["127.0.0.1", "127.0.0.1:", "::1:7001", "a:b", "host:99999", "http://a:1", ""])(
    "refuses %j",
    (value) => {
      expect(() => flags({ listen: value }).listen(7374)).toThrow("give HOST:PORT, such as 127.0.0.1:7374");
    },
  );

  test("takes its host from --host, and refuses two different ones", () => {
    expect(flags({ host: "10.0.0.1" }).listen(7374)).toEqual({ host: "10.0.0.1", port: 7374 });
    expect(flags({ host: "10.0.0.1", listen: "9" }).listen(0)).toEqual({ host: "10.0.0.1", port: 9 });
    expect(() => flags({ host: "10.0.0.1", listen: "127.0.0.1:9" }).listen(0)).toThrow(
      "leave one of them out",
    );
  });

  test.each(["metrics", "http"])("takes another one than --host, which is where --%s is", (health) => {
    const both = flags({ host: "10.0.0.1", listen: "127.0.0.1:9", [health]: "9101" });
    expect([both.listen(0), both.host()]).toEqual([{ host: "127.0.0.1", port: 9 }, "10.0.0.1"]);
  });
});

test("--host is an address without a port", () => {
  expect(flags({}).host()).toBe("127.0.0.1");
  expect(flags({ host: "[::]" }).host()).toBe("::");
  for (const host of ["1.2.3.4:80", "a b", "http://x", "x/y"]) {
    expect(() => flags({ host }).host()).toThrow("give an address without a port, such as 0.0.0.0");
  }
});

test("--address has a host and a port", () => {
  expect(flags({}).address()).toBeUndefined();
  expect(flags({ address: "chat.example:7001" }).address()).toEqual({ host: "chat.example", port: 7001 });
  for (const address of ["7001", ":7001", "host", "host:0"]) {
    expect(() => flags({ address }).address()).toThrow("give HOST:PORT, such as 10.0.0.5:7001");
  }
});

test("--bridge is a WebSocket URL", () => {
  expect(flags({}).bridge()).toBe("ws://127.0.0.1:7374/rpc");
  expect(flags({ bridge: "wss://b:1/rpc" }).bridge()).toBe("wss://b:1/rpc");
  for (const bridge of ["127.0.0.1:7374", "http://127.0.0.1:7374/rpc", "ws//x"]) {
    expect(() => flags({ bridge }).bridge()).toThrow("such as ws://127.0.0.1:7374/rpc");
  }
});

test("--id is a member's name", () => {
  expect(flags({ id: "chat-1" }).id()).toBe("chat-1");
  for (const id of ["Chat", "too-long-1", "a_b"]) {
    expect(() => flags({ id }).id()).toThrow("1 to 8 characters of a-z, 0-9 and -, such as chat-1");
  }
});

test("counts are 1 to 99", () => {
  expect(flags({}).count("chats")).toBe(1);
  expect(flags({ chats: "99" }).count("chats")).toBe(99);
  for (const chats of ["0", "100", "-1", "two"]) {
    expect(() => flags({ chats }).count("chats")).toThrow("give a number from 1 to 99");
  }
});

test("counts are at most what there may be", () => {
  const flag = "expect-hosts";
  expect(flags({ [flag]: "1024" }).count(flag, 1024)).toBe(1024);
  for (const given of ["0", "1025", "1.5", "1e3", "99999999"]) {
    expect(() => flags({ [flag]: given }).count(flag, 1024)).toThrow("give a number from 1 to 1024");
  }
});

test("--grace is in seconds, up to an hour", () => {
  expect([flags({}).graceMs(), flags({ grace: "5" }).graceMs(), flags({ grace: "0.25" }).graceMs()])
    .toEqual([0, 5000, 250]);
  for (const grace of ["-1", "3601", "5s", "1e3", ""]) {
    expect(() => flags({ grace }).graceMs()).toThrow("give seconds from 0 to 3600, such as 5");
  }
});
