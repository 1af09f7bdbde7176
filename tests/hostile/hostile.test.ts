/**
 * Processes on each runtime under attack over TCP.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createServer } from "node:net";
import { afterEach, describe, expect, test } from "bun:test";
import { frame, textFrame } from "../fuzz/frame_inputs.ts";
import { REAL_TARGETS, runReal, upgradeRequest } from "../fuzz/real_targets.ts";
import { exchange } from "../fuzz/real_world.ts";
import { failureText } from "../fuzz/worker.ts";
import { Processes } from "../support/processes.ts";
import { runtimes } from "../support/runtimes.ts";
import { until } from "../support/until.ts";

const processes = new Processes();
afterEach(() => processes.end());

interface Ports {
  readonly mqtt: number;
  readonly http: number;
}

const DEFLATE = {
  "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits; server_max_window_bits=9",
};
/** Bytes that a process may take for a flood beyond what it had. */
const MOST_GROWTH = 96 << 20;

/** The head of an answer has come. */
const answered = (reply: Buffer): boolean => reply.includes("\r\n\r\n");
/** The server is to end it. */
const never = (): boolean => false;

/** Payloads of the unmasked frames of a server, behind its answer to an upgrade. */
function messages(reply: Buffer): string[] {
  const texts: string[] = [];
  let at = reply.indexOf("\r\n\r\n") + 4;
  while (at + 2 <= reply.length) {
    const first = reply[at] as number;
    let length = (reply[at + 1] as number) & 0x7f;
    at += 2;
    if (length === 126) {
      length = reply.readUInt16BE(at);
      at += 2;
    }
    const payload = reply.subarray(at, at + length);
    texts.push(
      (first & 15) === 8 ? `close ${payload.length > 1 ? payload.readUInt16BE(0) : ""}` : payload.toString(),
    );
    at += length;
  }
  return texts;
}

for (const on of runtimes()) {
  const dev = (...args: string[]) =>
    processes.role<Ports>(on, ["dev", ...args, "--mqtt", "0", "--http", "0", "--log", "json", "--verbose"]);

  describe(`on ${on.name}`, () => {
    for (const target of REAL_TARGETS.filter(({ runtime }) => runtime === on.name)) {
      test(`hostile ${target.name.split("-")[0]} input over TCP disturbs nobody and leaves nothing behind`, async () => {
        const failure = await runReal(target, 1, 0, 8, { done() {}, heap: () => 0 });
        expect(failure ? failureText(failure, 1) : "").toBe("");
      });
    }

    test("compression is never negotiated, and a compressed frame ends its connection", async () => {
      const { ready } = await dev();
      const compressed = frame({ opcode: 1, payload: Buffer.alloc(20), reserved: 0x40 });
      for (
        const [path, headers] of [["/ws", DEFLATE], ["/mqtt", {
          ...DEFLATE,
          "Sec-WebSocket-Protocol": "mqtt",
        }]] as const
      ) {
        const { reply, ended } = await exchange(
          ready.http,
          [upgradeRequest(path, headers), compressed],
          never,
        );
        const [head = ""] = reply.toString("latin1").split("\r\n\r\n");
        expect(head).toStartWith("HTTP/1.1 101 ");
        expect(head.toLowerCase()).not.toContain("sec-websocket-extensions");
        expect(ended).toBe(true);
      }
    });

    test("members offer no compression to their bridge", async () => {
      let request = "";
      const bridge = createServer((socket) => {
        socket.on("error", () => {});
        socket.on("data", (part) => {
          request += part.toString("latin1");
          socket.destroy();
        });
      });
      await new Promise<void>((resolve) => bridge.listen(0, "127.0.0.1", resolve));
      const { port } = bridge.address() as { port: number };
      const args = ["proxy", "--mqtt", "0", "--http", "off", "--bridge", `ws://127.0.0.1:${port}/rpc`];
      processes.spawn([...on.command, "src/cli.ts", ...args]);
      await until(() => request.includes("\r\n\r\n"), "the upgrade request");
      bridge.close();
      expect(request.toLowerCase()).toContain("upgrade: websocket");
      expect(request.toLowerCase()).not.toContain("sec-websocket-extensions");
    });

    test("a Host that is none, or a path that is none, is a bad request, and no error of the server", async () => {
      const server = await dev();
      const requests = [
        upgradeRequest("/ws?user=room-0", { Host: "a b" }),
        upgradeRequest("/ws?user=room-0", { Host: "[::1" }),
        Buffer.from("GET /ws?user=room-0 HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n"),
        Buffer.from("POST * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
      ];
      for (const request of requests) {
        const { reply } = await exchange(server.ready.http, [request], answered);
        expect(reply.toString("latin1")).toMatch(/^HTTP\/1\.1 4\d\d /);
      }
      expect(server.stderr).not.toContain('"level":"error"');
    });

    test("a request with two lengths, or with a length and chunks, is refused and never read as two", async () => {
      const { ready } = await dev();
      const smuggled = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
      for (
        const header of [
          "Content-Length: 5\r\nContent-Length: 6",
          "Content-Length: 0\r\nTransfer-Encoding: chunked",
        ]
      ) {
        const request = `POST /nowhere HTTP/1.1\r\nHost: x\r\n${header}\r\n\r\n${smuggled}`;
        const { reply } = await exchange(ready.http, [Buffer.from(request)]);
        expect(reply.toString("latin1")).not.toContain('"status":"ok"');
      }
    });

    test("a key that poses as a prototype travels as data, and changes no other object", async () => {
      const { ready } = await dev("tests/hostile/mirror.mjs");
      const body = '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"a":1}';
      const said = ["join", "message"].map((type) =>
        textFrame(`{"type":"${type}","room":"__proto__","body":${body},"id":1}`)
      );
      const chunks = [upgradeRequest("/ws?user=__proto__"), ...said];
      const { reply } = await exchange(
        ready.http,
        chunks,
        (came) => came.includes('"keys"') && came.includes('"ack"'),
      );
      const heard = messages(reply).find((text) => text.includes('"keys"')) ?? "";
      expect(heard).toContain(
        `"body":{"keys":["__proto__","constructor","a"],"plain":true,"leaked":null,"body":${body}}`,
      );
      expect(JSON.parse(heard)).toMatchObject({ type: "message", room: "__proto__" });
    });

    test("a flood of empty fragments, and a message longer than may be, end their connection within bounded memory", async () => {
      const server = await dev();
      const memory = async (): Promise<number> =>
        Number((await Bun.file(`/proc/${server.pid}/status`).text()).match(/VmRSS:\s+(\d+)/)?.[1]) * 1024;
      const before = await memory();
      const empty = frame({ opcode: 0, payload: Buffer.alloc(0), fin: false });
      const first = frame({ opcode: 1, payload: Buffer.alloc(0), fin: false });
      const fragments = Buffer.concat([first, ...new Array<Uint8Array>(200_000).fill(empty)]);
      const large = Buffer.concat(
        new Array<Uint8Array>(64).fill(frame({ opcode: 0, payload: Buffer.alloc(60_000), fin: false })),
      );
      const floods = [fragments, Buffer.concat([first, large])];
      const results = await Promise.all(
        Array.from(
          { length: 8 },
          (_, i) => exchange(server.ready.http, [upgradeRequest("/ws"), floods[i % 2] as Buffer]),
        ),
      );
      expect(results.every(({ ended }) => ended)).toBe(true);
      expect(await memory() - before).toBeLessThan(MOST_GROWTH);
      expect((await fetch(`http://127.0.0.1:${server.ready.http}/healthz`)).status).toBe(200);
    });
  });
}
