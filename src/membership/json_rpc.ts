/**
 * JSON-RPC 2.0: reading messages, answering requests, matching answers. No input or output of its own, so that the bridge
 * and its clients share it on every transport.
 *
 * Two things are narrower than https://www.jsonrpc.org/specification allows: parameters are by name, and a message with
 * a key `__proto__` anywhere is refused.
 *
 * @module
 */
import { ToychatError } from "../lib/errors.ts";

/** Identifies a request. */
export type RpcId = string | number | null;

/** The parameters of a request, by name. Read with care: they come from outside. */
export type RpcParams = Readonly<Record<string, unknown>>;

/** A request, or a notification where `id` is undefined. */
export interface RpcRequest {
  /** What it is. */
  readonly kind: "request";
  /** Undefined for a notification. */
  readonly id: RpcId | undefined;
  /** The method's name, at most 64 characters. */
  readonly method: string;
  /** The parameters; empty where there were none. */
  readonly params: RpcParams;
}

/** An answer: a result, or an error. */
export interface RpcAnswer {
  /** What it is. */
  readonly kind: "answer";
  /** The request's id. */
  readonly id: RpcId;
  /** The result, where there is no error. */
  readonly result?: unknown;
  /** The error, where there is no result. */
  readonly error?: RpcErrorObject;
}

/** Something that is neither a request nor an answer, with the error to answer it with. */
export interface RpcInvalid {
  /** What it is. */
  readonly kind: "invalid";
  /** Its id where it has a sound one, else null. */
  readonly id: RpcId;
  /** What to answer. */
  readonly error: RpcErrorObject;
}

/** An error as it travels. */
export interface RpcErrorObject {
  /** A number from {@linkcode RPC_CODES}. */
  readonly code: number;
  /** For people. */
  readonly message: string;
  /** For programs: `{ code }` with the code of a `ToychatError`. */
  readonly data?: unknown;
}

/** What one text held. */
export interface RpcMessages {
  /** Whether it was a batch: answers then travel as an array. */
  readonly batch: boolean;
  /** The messages, in order. */
  readonly items: readonly (RpcRequest | RpcAnswer | RpcInvalid)[];
}

/** The error codes of the specification, and `refused` for everything that toychat itself refuses. */
export const RPC_CODES = {
  parse: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  refused: -32000,
} as const;

/** Requests in one batch, where nothing else is said. */
export const MAX_BATCH = 16;
/** Arrays and objects within one another. */
const MAX_DEPTH = 16;
const MAX_METHOD = 64;
const MAX_ID = 64;

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** False where a value nests too deeply or has a key that could be taken for a prototype. */
function isSound(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (depth === 0 || Object.hasOwn(value, "__proto__")) return false;
  return Object.values(value).every((inner) => isSound(inner, depth - 1));
}

function isId(value: unknown): value is RpcId {
  return value === null || (typeof value === "string" && value.length <= MAX_ID) ||
    Number.isSafeInteger(value);
}

function invalid(message: string, id: RpcId = null, code: number = RPC_CODES.invalidRequest): RpcInvalid {
  return { kind: "invalid", id, error: { code, message } };
}

function readRequest(item: Record<string, unknown>): RpcRequest | RpcInvalid {
  const { method, params } = item;
  const id = item.id as RpcId | undefined;
  if (typeof method !== "string" || method.length > MAX_METHOD) {
    return invalid(`method must be a string of at most ${MAX_METHOD} characters`, id ?? null);
  }
  if (params !== undefined && !isObject(params)) {
    return invalid(
      "params must be an object: toychat takes parameters by name",
      id ?? null,
      RPC_CODES.invalidParams,
    );
  }
  return { kind: "request", id, method, params: params ?? {} };
}

function readAnswer(item: Record<string, unknown>): RpcAnswer | RpcInvalid {
  const { error, result } = item;
  const id = item.id as RpcId;
  if (error === undefined) return { kind: "answer", id, result };
  if (!isObject(error) || typeof error.code !== "number" || typeof error.message !== "string") {
    return invalid("error must be an object with a numeric code and a message", id);
  }
  return { kind: "answer", id, error: { code: error.code, message: error.message, data: error.data } };
}

function readItem(item: unknown): RpcRequest | RpcAnswer | RpcInvalid {
  if (!isObject(item) || item.jsonrpc !== "2.0") {
    return invalid('a message is an object with "jsonrpc": "2.0"');
  }
  if (item.id !== undefined && !isId(item.id)) {
    return invalid(`id must be a whole number, null, or a string of at most ${MAX_ID} characters`);
  }
  if (item.method !== undefined) return readRequest(item);
  const answers = item.id !== undefined && (item.result === undefined) !== (item.error === undefined);
  return answers ? readAnswer(item) : invalid("a message has a method, or an id and one of result and error");
}

/**
 * Reads one text, which may be a batch of at most `maxBatch` messages. Never throws: what is wrong comes back as an item of
 * kind `invalid`.
 */
export function readMessages(text: string, maxBatch: number = MAX_BATCH): RpcMessages {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { batch: false, items: [invalid("this is not JSON", null, RPC_CODES.parse)] };
  }
  if (!isSound(value, MAX_DEPTH)) {
    return { batch: false, items: [invalid(`a key "__proto__", or more than ${MAX_DEPTH} levels`)] };
  }
  if (!Array.isArray(value)) return { batch: false, items: [readItem(value)] };
  if (value.length === 0 || value.length > maxBatch) {
    return { batch: false, items: [invalid(`a batch has 1 to ${maxBatch} requests, not ${value.length}`)] };
  }
  return { batch: true, items: value.map(readItem) };
}

/** The text of a request, or of a notification where `id` is undefined. */
export function requestText(method: string, params: object, id?: RpcId): string {
  return JSON.stringify({ jsonrpc: "2.0", id, method, params });
}

/** An error of a method, which the caller gets as it is: see {@linkcode errorObject}. */
export class RpcError extends Error {
  /** Tells it from other errors. */
  override readonly name = "RpcError";
  /** A number from {@linkcode RPC_CODES}. */
  readonly code: number;
  /** For programs; undefined where the code says it all. */
  readonly data: unknown;

  /** Makes an error with a JSON-RPC code, a message for people, and what programs may want to know. */
  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

/**
 * The error that a caller gets for what a method threw: an `RpcError` as it is, a `ToychatError` as `refused` with its
 * code in `data.code`, anything else as an internal error without its message, which is nothing for outsiders.
 */
export function errorObject(error: unknown): RpcErrorObject {
  if (error instanceof RpcError) {
    const { code, message, data } = error;
    return data === undefined ? { code, message } : { code, message, data };
  }
  if (error instanceof ToychatError) {
    return { code: RPC_CODES.refused, message: error.message, data: { code: error.code } };
  }
  return { code: RPC_CODES.internal, message: "internal error" };
}

/** Carries out a method; called in the order of the requests. May return a promise. */
export type RpcMethodCall = (method: string, params: RpcParams) => unknown;

type AnswerObject = { jsonrpc: "2.0"; id: RpcId; result?: unknown; error?: RpcErrorObject };

const failed = (id: RpcId, error: unknown): AnswerObject => ({
  jsonrpc: "2.0",
  id,
  error: errorObject(error),
});
const succeeded = (id: RpcId, result: unknown): AnswerObject => ({
  jsonrpc: "2.0",
  id,
  result: result ?? null,
});

function answerItem(item: RpcRequest, call: RpcMethodCall): AnswerObject | Promise<AnswerObject> {
  const id = item.id ?? null;
  try {
    const result = call(item.method, item.params);
    if (!(result instanceof Promise)) return succeeded(id, result);
    return result.then((value) => succeeded(id, value), (error) => failed(id, error));
  } catch (error) {
    return failed(id, error);
  }
}

/**
 * Answers the requests in a text. Methods are called before this returns, in order; `reply` is called at most once, with
 * the text of all answers: at once where no method returned a promise, and not at all where there is nothing to answer.
 * Where the text was no batch and its one answer is an error, `reply` is given that, too.
 */
export function answerMessages(
  messages: RpcMessages,
  call: RpcMethodCall,
  reply: (text: string, error: RpcErrorObject | undefined) => void,
): void {
  const answers: (AnswerObject | Promise<AnswerObject>)[] = [];
  for (const item of messages.items) {
    if (item.kind === "answer") continue;
    if (item.kind === "invalid") {
      answers.push({ jsonrpc: "2.0", id: item.id, error: item.error });
      continue;
    }
    const answer = answerItem(item, call);
    if (item.id !== undefined) answers.push(answer);
  }
  if (answers.length === 0) return;
  const send = (all: AnswerObject[]): void =>
    messages.batch
      ? reply(JSON.stringify(all), undefined)
      : reply(JSON.stringify(all[0]), (all[0] as AnswerObject).error);
  if (answers.some((answer) => answer instanceof Promise)) void Promise.all(answers).then(send);
  else send(answers as AnswerObject[]);
}
