import { expect, test } from "bun:test";
import fc from "fast-check";
import { ToychatError } from "../lib/errors.ts";
import { answerMessages, readMessages, requestText, type RpcParams } from "./json_rpc.ts";
import { RpcCaller } from "./rpc_caller.ts";

type Call = (method: string, params: RpcParams) => unknown;

/** What a server answers to a text; undefined for nothing. */
function answer(text: string, call: Call = () => "ok"): unknown {
  let reply: string | undefined;
  answerMessages(readMessages(text), call, (answered) => reply = answered);
  return reply === undefined ? undefined : JSON.parse(reply);
}

const error = (code: number, id: unknown = null) => ({
  jsonrpc: "2.0",
  id,
  error: { code, message: expect.any(String) },
});

test("a request is answered with its result and its id", () => {
  const text = '{"jsonrpc":"2.0","method":"add","params":{"a":1,"b":2},"id":"x"}';
  const add: Call = (method, { a, b }) => `${method} ${Number(a) + Number(b)}`;
  expect(answer(text, add)).toEqual({ jsonrpc: "2.0", id: "x", result: "add 3" });
});

test("a notification is carried out and not answered", () => {
  const called: string[] = [];
  expect(answer('{"jsonrpc":"2.0","method":"note"}', (method) => called.push(method))).toBeUndefined();
  expect(called).toEqual(["note"]);
});

test("a batch is answered as an array, in order, notifications left out", () => {
  const text = '[{"jsonrpc":"2.0","method":"a","id":1},{"jsonrpc":"2.0","method":"b"},5,' +
    '{"jsonrpc":"2.0","method":"c","id":null}]';
  expect(answer(text, (method) => method)).toEqual([
    { jsonrpc: "2.0", id: 1, result: "a" },
    error(-32600),
    { jsonrpc: "2.0", id: null, result: "c" },
  ]);
});

test("malformed messages get the specification's errors", () => {
  expect(answer("{")).toEqual(error(-32700));
  expect(answer("[]")).toEqual(error(-32600));
  expect(answer("5")).toEqual(error(-32600));
  expect(answer('{"jsonrpc":"1.0","method":"a","id":1}')).toEqual(error(-32600));
  expect(answer('{"jsonrpc":"2.0","id":1}')).toEqual(error(-32600));
  expect(answer('{"jsonrpc":"2.0","method":7,"id":1}')).toEqual(error(-32600, 1));
  expect(answer('{"jsonrpc":"2.0","method":"a","id":{}}')).toEqual(error(-32600));
  expect(answer('{"jsonrpc":"2.0","method":"a","id":1.5}')).toEqual(error(-32600));
  expect(answer('{"jsonrpc":"2.0","method":"a","params":[1],"id":1}')).toEqual(error(-32602, 1));
  expect(answer(`{"jsonrpc":"2.0","method":"${"m".repeat(65)}","id":1}`)).toEqual(error(-32600, 1));
});

test("keys that pose as prototypes, deep nesting and large batches are refused before any method runs", () => {
  let calls = 0;
  const count: Call = () => calls++;
  expect(answer('{"jsonrpc":"2.0","method":"a","params":{"__proto__":{"x":1}},"id":1}', count)).toEqual(
    error(-32600),
  );
  expect(answer('{"jsonrpc":"2.0","method":"a","params":{"\\u005f_proto__":1},"id":1}', count)).toEqual(
    error(-32600),
  );
  expect(answer("[".repeat(200) + "]".repeat(200), count)).toEqual(error(-32600));
  expect(answer("[".repeat(60_000), count)).toMatchObject({ id: null, error: {} });
  const one = '{"jsonrpc":"2.0","method":"a","id":1}';
  expect(answer(`[${new Array(17).fill(one).join(",")}]`, count)).toEqual(error(-32600));
  expect(calls).toBe(0);
  expect(answer(`[${new Array(16).fill(one).join(",")}]`, count)).toHaveLength(16);
});

test("an error of toychat keeps its code; any other error is not shown to outsiders", () => {
  const one = '{"jsonrpc":"2.0","method":"a","id":1}';
  const known = answer(one, () => {
    throw new ToychatError("duplicate_member_id", "taken");
  });
  expect(known).toMatchObject({
    error: { code: -32000, message: "taken", data: { code: "duplicate_member_id" } },
  });
  const unknown = answer(one, () => {
    throw new Error("password is hunter2");
  });
  expect(unknown).toMatchObject({ error: { code: -32603, message: "internal error" } });
});

test("methods that take time hold up only the answer", async () => {
  const text = '[{"jsonrpc":"2.0","method":"slow","id":1},{"jsonrpc":"2.0","method":"fails","id":2}]';
  const call: Call = (method) =>
    method === "slow" ? Promise.resolve("done") : Promise.reject(new ToychatError("nope", "no"));
  const reply = await new Promise<string>((resolve) => answerMessages(readMessages(text), call, resolve));
  expect(JSON.parse(reply)).toMatchObject([{ id: 1, result: "done" }, {
    id: 2,
    error: { data: { code: "nope" } },
  }]);
});

test("no text makes reading or answering throw", () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
    answer(text);
  }));
});

test("a caller matches answers to its questions", async () => {
  const sent: string[] = [];
  const caller = new RpcCaller((text) => sent.push(text));
  const first = caller.call("one", { a: 1 });
  const second = caller.call("two", {});
  expect(JSON.parse(sent[0] as string)).toEqual({ jsonrpc: "2.0", id: 1, method: "one", params: { a: 1 } });
  const take = (text: string): void => {
    for (const item of readMessages(text).items) if (item.kind === "answer") caller.take(item);
  };
  take('{"jsonrpc":"2.0","id":2,"error":{"code":-32000,"message":"no","data":{"code":"slot_taken"}}}');
  take('{"jsonrpc":"2.0","id":77,"result":1}');
  take('{"jsonrpc":"2.0","id":1,"result":{"b":2}}');
  expect(await first).toEqual({ b: 2 });
  await expect(second).rejects.toMatchObject({ code: "slot_taken", message: "no" });
});

test("when the connection ends every open question fails", async () => {
  const caller = new RpcCaller(() => {});
  const open = caller.call("one", {});
  caller.fail(new ToychatError("connection_ended", "gone"));
  await expect(open).rejects.toMatchObject({ code: "connection_ended" });
});

test("a notification has no id", () => {
  expect(JSON.parse(requestText("view.changed", {}))).toEqual({
    jsonrpc: "2.0",
    method: "view.changed",
    params: {},
  });
});
