/**
 * The asking side of JSON-RPC: numbers requests and matches answers to them.
 *
 * @module
 */
import { errorMessage, printable, ToychatError } from "../lib/errors.ts";
import { isObject, requestText, type RpcAnswer, type RpcErrorObject } from "./json_rpc.ts";

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: ToychatError) => void;
}

/** The asking side: numbers requests and matches answers to them. */
export class RpcCaller {
  readonly #send: (text: string) => void;
  readonly #pending: Map<number, Pending> = new Map();
  #lastId = 0;

  /** `send` sends a text to the other side. */
  constructor(send: (text: string) => void) {
    this.#send = send;
  }

  /**
   * Sends a request; resolves with its result.
   *
   * @throws {ToychatError} with the code that the other side gave in `data.code`, else `rpc_error`; or what
   * {@linkcode RpcCaller.fail} was given.
   */
  call(method: string, params: object): Promise<unknown> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#send(requestText(method, params, id));
    });
  }

  /** Takes an answer; one to no question is ignored. */
  take(answer: RpcAnswer): void {
    const pending = typeof answer.id === "number" ? this.#pending.get(answer.id) : undefined;
    if (!pending) return;
    this.#pending.delete(answer.id as number);
    if (answer.error) pending.reject(toError(answer.error));
    else pending.resolve(answer.result);
  }

  /** Rejects everything that waits: the connection is gone. */
  fail(error: unknown): void {
    const cause = error instanceof ToychatError ? error : new ToychatError("rpc_error", errorMessage(error));
    for (const pending of this.#pending.values()) pending.reject(cause);
    this.#pending.clear();
  }
}

function toError(error: RpcErrorObject): ToychatError {
  const data = error.data;
  const code = isObject(data) && typeof data.code === "string" && /^[a-z_]{1,40}$/.test(data.code)
    ? data.code
    : "rpc_error";
  // From outside, yet meant for people: what could disturb a terminal is escaped, quotes are not.
  return new ToychatError(code, printable(error.message, 500).replaceAll('\\"', '"'));
}
