import { describe, expect, test } from "bun:test";
import { COMMANDS } from "./commands.ts";
import { help } from "./help.ts";
import { parse } from "./parse.ts";
import { isBadUsage } from "./usage.ts";

/** What the program says of a wrong command line. */
function complaint(...args: string[]): string {
  try {
    parse(args);
  } catch (error) {
    expect(isBadUsage(error)).toBe(true);
    return (error as Error).message;
  }
  throw new Error(`nothing was wrong with ${args.join(" ")}`);
}

function given(...args: string[]): Record<string, string> {
  const request = parse(args);
  return request.kind === "run" ? Object.fromEntries(request.flags) : {};
}

describe("a command line", () => {
  test("names a command and its flags, in any order", () => {
    const request = parse(["--http=3000", "proxy", "--mqtt", "off", "--verbose"]);
    expect(request).toMatchObject({ kind: "run", command: { name: "proxy" }, argument: undefined });
    expect(given("--http=3000", "proxy", "--mqtt", "off", "--verbose")).toEqual({
      http: "3000",
      mqtt: "off",
      verbose: "true",
    });
  });

  test("names an application, or a room, also one that begins with a dash", () => {
    expect(parse(["chat", "app.ts", "--id", "c1"])).toMatchObject({ argument: "app.ts" });
    expect(parse(["owner", "--json", "--", "-room"])).toMatchObject({ argument: "-room" });
  });

  test.each([[["--help"]], [["-h"]], [["help"]], [["--help", "--nonsense"]]])(
    "asks for help by %j",
    (args) => {
      expect(parse(args)).toEqual({ kind: "help", command: undefined });
    },
  );

  test.each([[["chat", "--help"]], [["help", "chat"]], [["chat", "-h", "--id"]]])(
    "asks for help with a command by %j",
    (args) => {
      expect(parse(args)).toMatchObject({ kind: "help", command: { name: "chat" } });
    },
  );

  test.each([[["--version"]], [["version"]], [["-v"]], [["chat", "--version"]]])(
    "asks for the version by %j",
    (args) => {
      expect(parse(args)).toEqual({ kind: "version" });
    },
  );
});

describe("a wrong command line is answered by what to write:", () => {
  test.each([
    [["prox"], "did you mean proxy?"],
    [["brigde"], "did you mean bridge?"],
    [["xyzzy"], "it is one of dev, bridge, chat, proxy, members, owner"],
    [["help", "chta"], "did you mean chat?"],
    [[], "say what to start: dev, bridge"],
    [["proxy", "--mqqt", "1"], 'no "--mqqt": did you mean --mqtt?'],
    [["proxy", "--secretfile", "x"], "did you mean --secret-file?"],
    [["proxy", "--zzzzzz"], "toychat proxy --help lists its flags"],
    [["chat", "--mqtt", "1"], "chat has no --mqtt, only dev and proxy have: leave it out"],
    [["proxy", "-m", "1"], 'no "-m"'],
    [["proxy", "--mqtt"], "--mqtt needs a value, such as --mqtt 1883"],
    [["proxy", "--mqtt", "--http", "1"], "--mqtt needs a value"],
    [["proxy", "--mqtt="], "--mqtt needs a value"],
    [["members", "--json=yes"], "--json takes no value: write --json alone"],
    [["proxy", "app.ts"], 'takes flags only, and "app.ts" is none'],
    [["chat", "a.ts", "b.ts"], 'takes one app.ts, and "b.ts" is one more'],
    [["owner"], "needs a ROOM, such as toychat owner area/1"],
    [["owner", ""], "needs a ROOM"],
  ])("%j", (args, expected) => {
    expect(complaint(...args)).toContain(expected);
  });

  test("what is repeated from it is safe to print", () => {
    expect(complaint("\x1b[31mred")).toContain("\\u001b[31mred");
    expect(complaint("proxy", "--\x07bell")).toContain("\\u0007bell");
  });
});

describe("the help", () => {
  test("of the whole names every command", () => {
    for (const { name, about } of COMMANDS) {
      expect(help()).toMatch(new RegExp(`${name}.* ${about.slice(0, 20)}`));
    }
  });

  test.each(COMMANDS.map((command) => [command.name, command] as const))(
    "of %s names its flags and what to try",
    (name, command) => {
      const text = help(command);
      for (const flag of command.flags) expect(text).toContain(`--${flag.name}`);
      for (const flag of ["secret-file", "config", "log", "host"]) expect(text).toContain(`--${flag}`);
      expect(command.examples.length).toBeGreaterThan(0);
      for (const example of command.examples) {
        expect(text).toContain(example);
        const args = example.split(" ").slice(1);
        expect(parse(args)).toMatchObject({ kind: "run", command: { name } });
      }
    },
  );

  test("fits a terminal of 120 columns", () => {
    const lines = [undefined, ...COMMANDS].flatMap((command) => help(command).split("\n"));
    expect(lines.filter((line) => line.length > 120)).toEqual([]);
  });
});
