import { expect, test } from "bun:test";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import type tls from "node:tls";
import { secured } from "./node_tls.ts";

function socket(remotePort: number): Socket {
  return Object.assign(new EventEmitter(), {
    remoteAddress: "192.0.2.1",
    remotePort,
    localAddress: "192.0.2.2",
    destroy() {},
  }) as unknown as Socket;
}

test("a client that comes anew from the port of one that has just gone is not taken for that one", () => {
  const server = new EventEmitter();
  const { handshakes } = secured(server as tls.Server, undefined);
  const gone = socket(4000);
  server.emit("connection", gone);
  server.emit("connection", socket(4000));
  gone.emit("close");
  expect(handshakes()).toBe(1);
  server.emit("secureConnection", socket(4000));
  expect(handshakes()).toBe(0);
});
