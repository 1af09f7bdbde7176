import { expect, test } from "bun:test";
import { memoryTransport } from "../../transports/memory.ts";
import { LocalMembership } from "../membership/local.ts";
import { ChatServer } from "./chat_server.ts";

test("what is longer than links carry is refused at the call, however it is sent", () => {
  const chat = new ChatServer({ membership: new LocalMembership(), transport: memoryTransport() });
  const body = "z".repeat(5_000_000);
  const sends = [
    () => chat.broadcast("r", body),
    () => chat.send([], "r", body),
    () => chat.sendToRoom("r", body),
    () => chat.sendToUser("ada", body),
  ];
  for (const send of sends) expect(send).toThrow("5000002 bytes as JSON: send at most 4194304 at a time");
  expect(chat.broadcast("r", "z".repeat(4_000_000))).toBe(false);
});
