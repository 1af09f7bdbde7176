/**
 * A child process's side of its pipes to the plaza: lines of JSON both ways, and an end as soon as the plaza is gone,
 * however it went.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import process from "node:process";

/** What every line to the plaza begins with, apart from the ready line. */
export const PREFIX = "plaza ";

/** Says something to the plaza. */
export function tellParent(message: object): void {
  console.log(PREFIX + JSON.stringify(message));
}

/**
 * Reads what the plaza says, and exits when it is gone: standard input ends with the process that holds its other end.
 *
 * @param heard called with each line's JSON.
 */
export function followParent(heard: (message: unknown) => void = () => {}): void {
  let rest = Buffer.alloc(0);
  process.stdin.on("data", (chunk: Uint8Array) => {
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      const line = rest.toString("utf8", 0, end);
      rest = rest.subarray(end + 1);
      heard(JSON.parse(line));
    }
  });
  const gone = (): never => process.exit(1);
  process.stdin.once("end", gone);
  process.stdin.once("error", gone);
}
