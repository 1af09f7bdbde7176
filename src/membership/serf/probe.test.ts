import { describe, expect, test } from "bun:test";
import { VirtualClock } from "../../../tests/support/virtual_clock.ts";
import { type MemoryTransport, memoryTransport } from "../../../transports/memory.ts";
import type { Connection, ConnectionHandler } from "../../lib/transport.ts";
import { type Sign, tcpProbe } from "./probe.ts";

/** What comes of asking somebody who does this with connections, and after how many milliseconds. */
async function ask(
  accept: ((connection: Connection) => Partial<ConnectionHandler>) | undefined,
  host = "127.0.0.1",
  text = `${host}:7001`,
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
  void tcpProbe(transport, clock)(text).then((outcome) => sign = outcome);
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
    const { sign } = await ask((connection) => ({ data: () => connection.close() }), "::1", "[::1]:7001");
    expect(sign).toBe("life");
  });
});
