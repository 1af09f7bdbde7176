/**
 * Applications that send what cannot be sent.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import type { ChatServer } from "../../src/chat/chat_server.ts";
import type { Client } from "../simulator/client.ts";
import { got, moves, Stage } from "./stage.ts";

const circle: unknown[] = [];
circle.push(circle);

/** What cannot be a body, and the error that says so. */
const UNSENDABLE: readonly (readonly [what: string, body: unknown, error: RegExp])[] = [
  ["nothing", undefined, /^TypeError: the message has no body: send null/],
  ["a function", () => {}, /^TypeError: the body of the message is a function .*: send a JSON value/],
  ["a symbol", Symbol("x"), /^TypeError: the body of the message is a symbol/],
  ["a bigint", 1n, /^TypeError: the body of the message is a bigint/],
  ["what writes itself as nothing", { toJSON: () => undefined }, /^TypeError: the body of the message is a/],
  ["a bigint in a value", { sum: 1n }, /^TypeError: .*BigInt/],
  ["a circle", circle, /^TypeError: /],
  ["a long text", "x".repeat(6 * 2 ** 20 + 1), /^RangeError: .* takes 6291459 bytes .*at most 6291458$/],
  ["control characters", "\u0001".repeat(2 ** 20 + 1), /^RangeError: .* takes 6291464 bytes of JSON/],
  ["many bytes", new Uint8Array(5 * 2 ** 20), /^RangeError: .* bytes of JSON: send at most/],
  ["a long list", Array(300_000).fill(1e20), /^RangeError: .* bytes of JSON: send at most/],
];

/** What one listener got for trying. */
interface Tried {
  readonly errors: string[];
  last: unknown;
}

function trial(
  send: (chat: ChatServer, user: { readonly userId: string }, room: string, body: never) => unknown,
) {
  const tried: Tried = { errors: [], last: undefined };
  const program = (chat: ChatServer): void => {
    chat.on("message", (user, room, body) => {
      for (const [, wrong] of UNSENDABLE) {
        try {
          send(chat, user, room, wrong as never);
          tried.errors.push("none");
        } catch (error) {
          tried.errors.push(String(error));
        }
      }
      chat.broadcast(room, body);
    });
  };
  return { tried, program };
}

async function tells(
  send: (
    chat: ChatServer,
    user: { readonly userId: string },
    room: string,
    other: string,
    body: never,
  ) => unknown,
): Promise<void> {
  let other = "";
  const { tried, program } = trial((chat, user, room, body) => send(chat, user, room, other, body));
  const stage = await Stage.set(2, program);
  const room = stage.room(stage.chats[0]!);
  other = stage.room(stage.chats[1]!);
  const [ada, bob]: Client[] = [await stage.user("ada", 0, room, other), await stage.user("bob", 1, room)];
  const message = ada!.publish(room, true);
  await stage.until(() => message.doneAt !== undefined);
  expect(tried.errors).toHaveLength(UNSENDABLE.length);
  for (const [at, [, , error]] of UNSENDABLE.entries()) expect(tried.errors[at]).toMatch(error);
  await stage.run(1000);
  // The message has been acknowledged, what was sent behind it has arrived, and nobody has lost a link.
  expect([message.failure, got(ada!, ada!, room), got(bob!, ada!, room)]).toEqual([undefined, [1], [1]]);
  expect([moves(ada!, room), moves(ada!, other), moves(bob!, room)]).toEqual([[], [], []]);
  for (const { server } of [...stage.chats, ...stage.proxies]) {
    expect(server.metrics.get("toychat_links_reset_total")).toBe(0);
  }
}

describe("an application that sends what cannot be sent is told so, and no link ends", () => {
  test("to the members of a room", () =>
    tells((chat, _user, room, _other, body) => chat.broadcast(room, body)));

  test("to a user", () => tells((chat, user, _room, _other, body) => chat.sendToUser(user.userId, body)));

  test("to a room that another server owns", () =>
    tells((chat, _user, _room, other, body) => chat.sendToRoom(other, body)));

  test("to a room of its own, whoever owns it", () =>
    tells((chat, _user, room, _other, body) => chat.sendToRoom(room, body)));
});
