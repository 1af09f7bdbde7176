import { describe, expect, test } from "bun:test";
import { VirtualClock } from "../../../tests/support/virtual_clock.ts";
import { type MemoryTransport, memoryTransport } from "../../../transports/memory.ts";
import type { Connection, ConnectionHandler } from "../../lib/transport.ts";
import { type Sign, tcpProbe } from "./probe.ts";

/** What comes of asking somebody who does this with connections, and after how many milliseconds. */
async function ask(
  accept: ((connection: Connection) => Partial<ConnectionHandler>) | undefined,
  { host = "127.0.0.1", address = "", role = "chat" }: {
    host?: string;
    address?: string;
    role?: "chat" | "proxy";
  } = {},
): Promise<{ sign: Sign | undefined; ms: number; ended: boolean }> {
  const clock = new VirtualClock();
  const transport: MemoryTransport = memoryTransport({ clock });
  let ended = false;
  if (accept) {
    await transport.listen({ host, port: 7001 }, (connection) => ({
      data: () => {},
      drain: () => {},
      close: () => ended = true,
      ...accept(connection),
    }));
  }
  let sign: Sign | undefined;
  const member = { id: "chat-1", incarnation: "abc123", role, address: address || `${host}:7001` };
  void tcpProbe(transport, clock)(member).then((outcome) => sign = outcome);
  await clock.until(() => sign !== undefined, 5000);
  const ms = clock.now();
  await clock.run(100);
  return { sign, ms, ended };
}

describe("a probe", () => {
  test("takes any byte for life, and hangs up", async () => {
    const asked = await ask((connection) => ({ data: () => connection.send(new Uint8Array([0])) }));
    expect(asked).toMatchObject({ sign: "life", ended: true });
    expect(asked.ms).toBeLessThan(1000);
  });

  test("takes the end of the connection for life", async () => {
    const { sign, ms } = await ask((connection) => ({ data: () => connection.close() }));
    expect(sign).toBe("life");
    expect(ms).toBeLessThan(1000);
  });

  test("takes a connection alone for nothing, after a second, and hangs up", async () => {
    expect(await ask(() => ({}))).toEqual({ sign: "nothing", ms: 1000, ended: true });
  });

  test("says that nobody listens there", async () => {
    const { sign, ms } = await ask(undefined);
    expect(sign).toBe("refused");
    expect(ms).toBeLessThan(1000);
  });

  test("says one line that begins no link", async () => {
    let heard = "";
    await ask(() => ({ data: (chunk) => heard += new TextDecoder().decode(chunk as Uint8Array) }));
    expect(heard).toBe("toychat?\n");
  });

  test("reaches IPv6 addresses, which are written in brackets", async () => {
    const { sign } = await ask((connection) => ({ data: () => connection.close() }), {
      host: "::1",
      address: "[::1]:7001",
    });
    expect(sign).toBe("life");
  });

  describe("of a ChatServer", () => {
    const hello = {
      type: "hello",
      version: 1,
      role: "chat",
      id: "chat-1",
      incarnation: "abc123",
      cluster: "c",
    };
    const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
    /** What comes of asking one that says this as soon as it has the connection, in pieces of so many bytes. */
    async function greeted(text: string, size = 1000, role: "chat" | "proxy" = "chat") {
      return await ask((connection) => {
        for (let at = 0; at < text.length; at += size) connection.send(bytes(text.slice(at, at + size)));
        return {};
      }, { role });
    }

    test("that says who it is takes it for life", async () => {
      expect((await greeted(`${JSON.stringify(hello)}\n`)).sign).toBe("life");
    });

    test.each([
      ["may not accept any more", { lapsed: true }],
      ["is another life", { incarnation: "abc124" }],
      ["is another one", { id: "chat-2" }],
    ])(
      "that says that it %s says that the life in question is over, in whatever pieces",
      async (_, other) => {
        for (const size of [1000, 7, 1]) {
          const { sign, ms, ended } = await greeted(`${JSON.stringify({ ...hello, ...other })}\n`, size);
          expect([sign, ended]).toEqual(["over", true]);
          expect(ms).toBeLessThan(1000);
        }
      },
    );

    test.each([
      ["no JSON", '{"type":"hello",\n'],
      ["a hello without its end, on a line", '{"type":"hello"\n'],
      ["more than a hello has, without an end of line", `{"type":"hello","id":"${"x".repeat(5000)}`],
      ["something else", '{"type":"goodbye","lapsed":true}\n'],
      ["half a hello", '{"type":"hello","lapsed":true'],
    ])("that says %s takes that for life", async (_, text) => {
      expect((await greeted(text)).sign).toBe("life");
    });

    test("and not of a proxy, whose ports speak other protocols", async () => {
      expect((await greeted(`${JSON.stringify({ ...hello, lapsed: true })}\n`, 1000, "proxy")).sign).toBe(
        "life",
      );
    });
  });
});
