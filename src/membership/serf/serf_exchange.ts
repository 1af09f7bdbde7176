/**
 * One call of an agent's RPC, from the request to its last reply.
 *
 * A reply is a header, and a body where the command has one. The first answers the call; with `stream` and `query` more
 * replies of the same number follow, each with a body: the records.
 *
 * @module
 */
import type { Cancel } from "../../lib/clock.ts";
import { printable, ToychatError } from "../../lib/errors.ts";
import { badReply } from "./serf_scan.ts";

/** A call to make. */
export interface SerfCall<T> {
  /** The command, as the agent knows it. */
  readonly command: string;
  /** The body of the request; undefined where the command has none. */
  readonly body?: object | undefined;
  /** Reads the body that the answer has; undefined where it has none. */
  readonly read?: ((body: unknown) => T) | undefined;
  /** Says more about a refusal from the body that came with it. */
  readonly explain?: ((body: T) => string) | undefined;
  /** Some versions of the agent send a body with the answer; it is not looked at. Default false. */
  readonly bodyMayFollow?: boolean;
  /** Takes a record that follows the answer; true says that it was the last, and ends the call. */
  readonly record?: ((body: unknown) => boolean) | undefined;
  /** The answer ends the call although records follow, as long as the connection lives; default false. */
  readonly endless?: boolean;
  /** Milliseconds until the call must have ended. */
  readonly timeoutMs: number;
}

/** Whether a body follows a header. */
export type Following = "body" | "perhaps" | "nothing";

/** What an agent says of a key that is wrong, and of one that is missing. No body follows the latter. */
const BAD_KEY = "Invalid authentication token";
const NO_KEY = "Authentication required";

/** The error for what an agent refused, with its own words. */
function refusal(command: string, words: string, more: string): ToychatError {
  const said = printable(words.replace(/\s+/g, " ").trim(), 400);
  if (words === BAD_KEY || words === NO_KEY) {
    const remedy = words === NO_KEY
      ? "it wants a key: give the agent's rpc_auth"
      : "give the agent's rpc_auth, or none where it has none";
    return new ToychatError("serf_auth_refused", `the Serf agent refused the RPC key: "${said}"; ${remedy}`);
  }
  return new ToychatError(
    "serf_refused",
    `the Serf agent refused "${command}": ${said}${printable(more, 400)}`,
  );
}

/** A call under way. */
export class SerfExchange<T> {
  /** The command, as the agent knows it. */
  readonly command: string;
  /** The number of the call on its connection. */
  readonly seq: number;
  /** Settles with the call's end. */
  readonly result: Promise<T>;
  /** Whether no reply to this call can come any more. */
  over = false;
  readonly #call: SerfCall<T>;
  #resolve: (value: T) => void = () => {};
  #reject: (error: ToychatError) => void = () => {};
  #cancelTimer: Cancel;
  #answered = false;
  #error = "";

  /** `startTimer` begins to count the call's time; what it gives stops that. */
  constructor(seq: number, call: SerfCall<T>, startTimer: (ms: number) => Cancel) {
    this.seq = seq;
    this.#call = call;
    this.command = call.command;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#cancelTimer = startTimer(call.timeoutMs);
  }

  /** A header with this call's number has come. Throws `serf_bad_reply` where it makes no sense. */
  header(error: string): Following {
    if (this.#answered) {
      if (error !== "") throw badReply(`a record of "${this.command}" that is an error`);
      return "body";
    }
    this.#answered = true;
    this.#error = error;
    const { read, record, endless, bodyMayFollow } = this.#call;
    if (read && error !== NO_KEY) return "body";
    if (error !== "") this.#refuse("");
    else if (!record) this.#end(undefined as T);
    else if (endless) this.#settle(undefined as T);
    return bodyMayFollow && error !== NO_KEY ? "perhaps" : "nothing";
  }

  /** The body that follows the header has come. Throws `serf_bad_reply` where it makes no sense. */
  body(body: unknown): void {
    const { read, record, explain } = this.#call;
    if (!read) {
      if (record?.(body)) this.#end(undefined as T);
      return;
    }
    const value = read(body);
    if (this.#error === "") this.#end(value);
    else this.#refuse(explain?.(value) ?? "");
  }

  /** Ends the call by an error, where it has not ended. */
  fail(error: ToychatError): void {
    this.over = true;
    this.#cancelTimer();
    this.#reject(error);
  }

  #refuse(more: string): void {
    this.fail(refusal(this.command, this.#error, more));
  }

  #end(value: T): void {
    this.over = true;
    this.#settle(value);
  }

  #settle(value: T): void {
    this.#cancelTimer();
    this.#resolve(value);
  }
}
