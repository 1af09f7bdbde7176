import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { until } from "../../tests/support/until.ts";
import { run } from "./run.mjs";
import { judge } from "./suite.mjs";

const cwd = process.cwd();
const node = (code: string) => [process.execPath, "-e", code];

/** Whether the process that `output` names by `child PID` still runs; a dead one that nobody has reaped yet does not. */
function isAlive(output: string): boolean {
  const pid = Number(output.match(/child (\d+)/)?.[1]);
  expect(pid).toBeGreaterThan(0);
  const file = `/proc/${pid}/stat`;
  const stat = existsSync(file) ? readFileSync(file, "utf8") : "";
  return stat !== "" && !stat.includes(") Z ");
}

test("a command's exit code and both its outputs come back", async () => {
  const result = await run(node(`console.log("out"); console.error("err"); process.exit(3)`), {
    cwd,
    seconds: 20,
  });
  expect(result).toMatchObject({ code: 3, problem: undefined });
  expect(result.output).toContain("out");
  expect(result.output).toContain("err");
});

test("a command that does not end is killed, with the processes that it started", async () => {
  const child =
    `process.on("SIGTERM", () => {}); console.log("child", process.pid); setInterval(() => {}, 1000)`;
  const parent = `require("node:child_process").spawn(process.execPath, ["-e", ${JSON.stringify(child)}],
    { stdio: "inherit", detached: true }); setInterval(() => {}, 1000)`;
  const result = await run(node(parent), { cwd, seconds: 5 });
  expect(result.problem).toBe("killed: it took more than 5 s");
  await until(() => !isAlive(result.output), "the end of what was killed");
});

test.if(process.platform === "linux")("a process left behind is named and killed", async () => {
  const parent =
    `const child = require("node:child_process").spawn("sleep", ["300"], { detached: true, stdio: "ignore" });
    child.unref(); console.log("child", child.pid)`;
  const result = await run(node(parent), { cwd, seconds: 20 });
  expect(result.problem).toContain("left 1 process(es) running");
  expect(result.problem).toContain("sleep 300");
  await until(() => !isAlive(result.output), "the end of what was killed");
});

test("a command that does not exist is a problem, not an exception", async () => {
  const result = await run(["/nowhere/at-all"], { cwd, seconds: 20 });
  expect(result).toMatchObject({ code: undefined });
  expect(result.problem).toContain("did not start");
});

const ended = {
  code: 0 as number | undefined,
  output: "",
  problem: undefined as string | undefined,
  seconds: 1,
};
const report = (passed: number, failed: number, files: string[]) => ({
  passed,
  failed,
  skipped: 0,
  failures: [],
  files: new Set(files),
});

test("a suite whose files all ran passes", () => {
  const outcome = judge("deno", ["a/deno.test.ts"], ended, report(2, 0, ["./a/deno.test.ts"]));
  expect(outcome).toMatchObject({ passed: 2, failed: 0, detail: "" });
});

test("a file that ran no test counts as a failure", () => {
  const outcome = judge(
    "bun",
    ["a.test.ts", "b.test.ts"],
    { ...ended, code: 1 },
    report(2, 0, ["a.test.ts"]),
  );
  expect(outcome).toMatchObject({ passed: 2, failed: 1 });
  expect(outcome.detail).toContain("b.test.ts ran no test");
});

test("a runner that dies before its report counts as a failure", () => {
  const outcome = judge("bun", ["a.test.ts"], { ...ended, code: undefined }, undefined);
  expect(outcome).toMatchObject({ passed: 0, failed: 1 });
});

test("a runner that ends badly though no test failed counts as a failure", () => {
  const outcome = judge("bun", ["a.test.ts"], { ...ended, code: 1 }, report(2, 0, ["a.test.ts"]));
  expect(outcome).toMatchObject({ passed: 2, failed: 1 });
});

test("processes left behind count as a failure of a suite that passed", () => {
  const outcome = judge(
    "bun",
    ["a.test.ts"],
    { ...ended, problem: "left 1 process" },
    report(2, 0, ["a.test.ts"]),
  );
  expect(outcome).toMatchObject({ passed: 2, failed: 1 });
});
