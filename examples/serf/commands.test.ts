import { describe, expect, test } from "bun:test";
import { type Command, readCommand } from "./commands.ts";

describe("a line of the console", () => {
  const understood: [string, Command][] = [
    ["cut 2", { word: "cut", host: 2, way: "both" }],
    ["  cut 1   in ", { word: "cut", host: 1, way: "in" }],
    ["part 1,2 3", { word: "part", some: [1, 2], others: [3] }],
    ["heal", { word: "heal", host: undefined }],
    ["heal 3", { word: "heal", host: 3 }],
    ["kill chat 1", { word: "kill", part: "chat", host: 1 }],
    ["freeze bridge 2", { word: "freeze", part: "bridge", host: 2 }],
    ["start agent 3", { word: "start", part: "agent", host: 3 }],
    ["members", { word: "members", host: undefined }],
    ["owner a room", { word: "owner", room: "a room" }],
    ["quit", { word: "quit" }],
    ["exit", { word: "quit" }],
  ];
  test.each(understood)("%j is understood", (line, command) => {
    expect(readCommand(line, 3)).toEqual(command);
  });

  test.each([
    ["cut", "which host? 1 to 3"],
    ["cut 4", '"4" is no host: 1 to 3'],
    ["cut 0", '"0" is no host: 1 to 3'],
    ["cut 2 up", '"up" is no way: in, out or both'],
    ["part 1,2 2", "host 2 is in both groups"],
    ["part 1", "which groups? part 1,2 3"],
    ["kill", "kill what? kill chat 1, or agent, bridge, chat, proxy"],
    ["kill toString 1", "kill what? kill chat 1, or agent, bridge, chat, proxy"],
    ["owner", "which room? owner lobby"],
  ])("%j is answered by what is wrong with it", (line, answer) => {
    expect(readCommand(line, 3)).toBe(answer);
  });

  test("that is no command is answered by the list of commands", () => {
    expect(readCommand("constructor", 3)).toContain("kill chat 1");
  });

  test("with nothing in it is passed over", () => {
    expect(readCommand("  ", 3)).toBeUndefined();
  });
});
