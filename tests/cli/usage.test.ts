import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Processes } from "../support/processes.ts";
import { runtime, runtimes } from "../support/runtimes.ts";

const processes = new Processes();
afterEach(() => processes.end());

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "toychat-cli-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe.each(runtimes().map((on) => [on.name, on] as const))("on %s", (_, on) => {
  test("--help goes to stdout and ends with 0", async () => {
    const { code, stdout, stderr } = await processes.run(on, ["--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const name of ["dev", "bridge", "chat", "proxy", "members", "owner"]) {
      expect(stdout).toContain(`\n  ${name}`);
    }
  });

  test("wrong usage goes to stderr and ends with 2", async () => {
    const { code, stdout, stderr } = await processes.run(on, ["proxy", "--htttp", "1"]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toBe('toychat: proxy has no "--htttp": did you mean --http?\n');
  });

  test("a missing bridge is said within seconds, with what to do", async () => {
    const { code, stdout, stderr } = await processes.run(on, ["members", "--bridge", "ws://127.0.0.1:1/rpc"]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("no bridge at ws://127.0.0.1:1/rpc within 3 s (connection refused): start one");
  });
});

describe("what else is wrong:", () => {
  const on = runtime("bun");
  const ends = async (
    args: string[],
    code: number,
    text: string,
    env: Record<string, string> = {},
  ): Promise<void> => {
    const result = await processes.run(on, args, { env: { TOYCHAT_SECRET: undefined, ...env } });
    expect({ code: result.code, stdout: result.stdout, stderr: result.stderr }).toEqual({
      code,
      stdout: "",
      stderr: expect.stringContaining(text),
    });
  };

  test("a value that is none", () => ends(["proxy", "--mqtt", "abc"], 2, '--mqtt is "abc": give a port'));
  test("a limit that no link can keep", () =>
    ends(
      ["dev", "--limits", "maxMessageBytes=1048577"],
      2,
      "--limits: maxMessageBytes is 1048577: use a number from 1 to 1048576",
    ));
  test("a log in no known form", () => ends(["dev", "--log", "xml"], 2, "write pretty or json"));
  test("a level of the log that does not exist", () =>
    ends(["dev", "--log-level", "loud"], 2, "write info or debug or warn or error"));
  test("two levels of the log", () =>
    ends(
      ["dev", "--verbose", "--log-level", "warn"],
      2,
      "--verbose and --log-level warn: leave one of them out",
    ));
  test("no way in for users", () =>
    ends(["proxy", "--mqtt", "off", "--http", "off"], 2, "leave one of them out"));
  test("a room with a wildcard", () => ends(["owner", "area/#"], 2, "wildcards"));
  test("a bridge open to the network without a secret", () =>
    ends(["bridge", "--listen", "0.0.0.0:0"], 2, "--secret-file or TOYCHAT_SECRET, or listen on 127.0.0.1"));
  test("a ChatServer open to the network without a secret", () =>
    ends(["chat", "--host", "::"], 2, "a ChatServer on :: can be reached from other hosts"));
  test("a secret that cannot be read", () =>
    ends(["bridge", "--secret-file", "/no/such"], 1, "cannot read --secret-file"));
  test("a secret that is empty", async () => {
    await ends(
      ["bridge", "--secret-file", write("empty.txt", "\n")],
      1,
      "is empty: write the cluster's secret into it",
    );
  });
  test("a key of the configuration that is no flag", async () => {
    const path = write("wrong.json", `{"htpp": 1}`);
    await ends(["proxy", "--config", path], 2, `"htpp" in ${path} is no flag: did you mean http?`);
  });
  test("an address that is not this machine's", () =>
    ends(["bridge", "--listen", "192.0.2.1:0"], 1, "--listen: 192.0.2.1:0 is no address of this machine", {
      TOYCHAT_SECRET: "s",
    }));
});

describe("a port in use is named with its flag", () => {
  test.each(runtimes().map((on) => [on.name, on] as const))("on %s", async (_, on) => {
    const { ready } = await processes.role<{ listen: string; http: number; mqtt: number }>(on, [
      ..."dev --mqtt 0 --http 0".split(" "),
    ]);
    const http = await processes.run(on, ["dev", "--mqtt", "0", "--http", `${ready.http}`]);
    expect(http.code).toBe(1);
    expect(http.stdout).toBe("");
    expect(http.stderr).toContain(`toychat dev: --http: 127.0.0.1:${ready.http} is taken: `);
    const mqtt = await processes.run(on, ["dev", "--mqtt", `${ready.mqtt}`, "--http", "0"]);
    expect(mqtt.code).toBe(1);
    expect(mqtt.stderr).toContain(`toychat dev: --mqtt: 127.0.0.1:${ready.mqtt} is taken: `);
  });
});
