import { expect, test } from "bun:test";
import { Processes } from "./processes.ts";
import { runtime } from "./runtimes.ts";

const node = [...runtime("node").command, "--eval"];

test("a process says that it is ready, is told to stop, and keeps its output", async () => {
  const processes = new Processes();
  const program = `process.on("SIGTERM", () => { console.error("bye"); process.exit(3); });
    console.log("before"); console.log('ready {"port":7}'); setInterval(() => {}, 1000);`;
  const running = await processes.start<{ port: number }>([...node, program]);
  expect(running.ready).toEqual({ port: 7 });
  expect(running.lines).toEqual(["before", `ready {"port":7}`]);
  expect(await running.stop()).toEqual({ code: 3, signal: null });
  expect(running.stderr).toBe("bye\n");
  expect(await running.stop()).toEqual({ code: 3, signal: null });
});

test("one that ends before it is ready is an error with its output", async () => {
  const started = new Processes().start([...node, `console.error("no such luck"); process.exitCode = 5;`]);
  await expect(started).rejects.toThrow(/ended with 5 before its ready line[^]*no such luck/);
});

test("one that is not ready in time is an error, and killed with the rest", async () => {
  const processes = new Processes();
  const command = [...node, `setInterval(() => {}, 1000);`];
  await expect(processes.start(command, { readyMs: 50 })).rejects.toThrow(
    "did not come to its ready line within 50 ms",
  );
  const other = processes.spawn(command);
  await processes.end();
  expect(await other.exit).toEqual({ code: null, signal: "SIGKILL" });
});

test("a program that is not there is an error", async () => {
  await expect(new Processes().start(["/no/such/program"])).rejects.toThrow("ENOENT");
});

test("variables can be set and taken away", async () => {
  const running = new Processes().spawn([...node, "console.log(process.env.A, process.env.HOME)"], {
    env: { A: "1", HOME: undefined },
  });
  await running.exit;
  expect(running.stdout).toBe("1 undefined\n");
});
