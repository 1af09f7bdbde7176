import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CommandName, findCommand } from "./commands.ts";
import { type Config, readConfig } from "./config.ts";
import { isBadUsage } from "./usage.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "toychat-config-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function read(content: unknown, name: CommandName): Config {
  const path = join(folder, "toychat.json");
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  const command = findCommand(name);
  if (!command) throw new Error(`no command ${name}`);
  return readConfig(path, command);
}

const values = (content: unknown, name: CommandName): Record<string, string> =>
  Object.fromEntries([...read(content, name).flags].map(([key, { value }]) => [key, value]));

function complaint(content: unknown, name: CommandName = "proxy"): string {
  try {
    read(content, name);
  } catch (error) {
    expect(isBadUsage(error)).toBe(true);
    return (error as Error).message;
  }
  throw new Error("nothing was wrong");
}

describe("one file serves all commands:", () => {
  const content = {
    mqtt: 1884,
    http: false,
    bridge: "ws://b:1/rpc",
    verbose: true,
    chat: { id: "c1", listen: "127.0.0.1:7001", verbose: false },
    proxy: { id: "p1", http: 3000 },
  };

  test("each takes the flags that it has", () => {
    expect(values({ mqtt: 1884, http: false, bridge: "ws://b:1/rpc" }, "proxy")).toEqual({
      mqtt: "1884",
      http: "off",
      bridge: "ws://b:1/rpc",
    });
    expect(values({ mqtt: 1884, log: "json" }, "bridge")).toEqual({ log: "json" });
  });

  test("what stands under its name goes before the rest", () => {
    expect(values(content, "proxy")).toEqual({
      mqtt: "1884",
      http: "3000",
      bridge: "ws://b:1/rpc",
      verbose: "true",
      id: "p1",
    });
    expect(values(content, "chat")).toEqual({ bridge: "ws://b:1/rpc", id: "c1", listen: "127.0.0.1:7001" });
  });

  test("a ChatServer's HTTP port stands under its name: that of the proxy is not its own", () => {
    expect(values({ http: 8080 }, "chat")).toEqual({});
    expect(values({ http: 8080, chat: { http: 9100 } }, "chat")).toEqual({ http: "9100" });
    expect(values({ http: 8080, chat: { http: 9100 } }, "proxy")).toEqual({ http: "8080" });
  });

  test("the bridge's own section is not the flag --bridge", () => {
    expect(values({ bridge: { listen: "127.0.0.1:9" } }, "bridge")).toEqual({ listen: "127.0.0.1:9" });
    expect(values({ bridge: { listen: "127.0.0.1:9" } }, "proxy")).toEqual({});
  });

  test("limits are an object or a text, and those of other commands are passed over", () => {
    const content = { limits: { maxSessions: 5, maxOpenRooms: 6, messageRate: "off" } };
    expect(values(content, "proxy")).toEqual({ limits: "maxSessions=5,messageRate=off" });
    expect(values(content, "chat")).toEqual({ limits: "maxOpenRooms=6" });
    expect(values(content, "dev")).toEqual({ limits: "maxSessions=5,maxOpenRooms=6,messageRate=off" });
    expect(values(content, "bridge")).toEqual({});
    expect(values({ limits: "maxRooms=1" }, "proxy")).toEqual({ limits: "maxRooms=1" });
  });

  test("paths are relative to the file", () => {
    const config = read({ "secret-file": "s.txt", chat: { app: "lib/app.ts" } }, "chat");
    expect(config.flags.get("secret-file")?.value).toBe(join(folder, "s.txt"));
    expect(config.argument).toBe(join(folder, "lib/app.ts"));
    expect(read({ app: "app.ts" }, "proxy").argument).toBeUndefined();
  });
});

describe("a wrong file is answered by what to write:", () => {
  test.each([
    ["{", "is not JSON"],
    ["[]", 'must hold an object, such as {"http": 8080}'],
    ["null", "must hold an object"],
    [{ htpp: 1 }, "did you mean http?"],
    [{ prxy: { http: 1 } }, "did you mean proxy?"],
    [{ proxy: { chats: 1 } }, '"chats" in'],
    [{ mqtt: [1] }, 'must be a text or a number, such as "1883"'],
    [{ mqtt: true }, "must be a text or a number"],
    [{ verbose: "yes" }, "must be true or false"],
    [{ limits: { maxSesions: 1 } }, "did you mean maxSessions?"],
    [{ limits: { maxSessions: "many" } }, 'maxSessions must be a number, or "off"'],
    [{ proxy: { limits: { maxOpenRooms: 1 } } }, '"maxOpenRooms": there is no such limit'],
    [{ config: "x" }, "belongs on the command line"],
    [{ constructor: 1 }, "is no flag"],
    ['{"__proto__": 1}', "is no flag"],
  ])("%j", (content, expected) => {
    expect(complaint(content)).toContain(expected);
  });

  test("a file that is not there is a failure, not bad usage", () => {
    const command = findCommand("proxy");
    expect(() => command && readConfig(join(folder, "none.json"), command)).toThrow("cannot read --config");
  });
});
