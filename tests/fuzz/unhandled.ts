/**
 * A program for a test: one input leaves a promise that is rejected, and the fuzzer says so.
 *
 * @module
 */
import process from "node:process";
import { playAlone } from "./run.ts";
import type { Target } from "./targets.ts";

const target: Target = {
  name: "harmful",
  about: "",
  weight: 1,
  make: () => ({ variant: "", chunks: [] }),
  start() {
    void Promise.reject(new Error("left alone"));
    return { problem: () => undefined, end() {} };
  },
};

const problems = await playAlone(target, [target.make({} as never)]);
for (const problem of problems) console.log(problem.split("\n")[0]);
process.exit(0);
