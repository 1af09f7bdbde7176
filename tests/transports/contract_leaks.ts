/**
 * Cases about what connections leave behind: nothing.
 *
 * @module
 */

import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import process from "node:process";
import type { Connection, ConnectionHandler, Transport } from "../../src/lib/transport.ts";
import { type Registrar, until } from "./support.ts";

const BATCH = 50;
/** Growth of the process that is put down to caches and a collector in no hurry. */
const BOUND = 96 * 2 ** 20;

/** How many file descriptors this process holds, where that can be seen. */
function openFiles(): number {
  return existsSync("/proc/self/fd") ? readdirSync("/proc/self/fd").length : 0;
}

class Tally {
  opened = 0;
  closed = 0;
  messages = 0;

  get accept(): (connection: Connection) => ConnectionHandler {
    return (connection) => {
      this.opened++;
      return {
        data: (chunk) => {
          this.messages++;
          connection.send(chunk);
        },
        drain() {},
        close: () => void this.closed++,
      };
    };
  }
}

/** Opens connections, has each echo a word, and ends each by one of four ways; all are gone when it resolves. */
async function batch(
  connect: (accept: (c: Connection) => ConnectionHandler) => Promise<Connection>,
  near: Tally,
): Promise<void> {
  const answered: Promise<void>[] = [];
  for (let i = 0; i < BATCH; i++) {
    answered.push(
      new Promise((resolve, reject) => {
        connect((connection) => {
          near.opened++;
          connection.send("ping");
          return {
            data() {
              if (i % 4 === 0) connection.terminate();
              else connection.close();
            },
            drain() {},
            close() {
              near.closed++;
              resolve();
            },
          };
        }).catch(reject);
      }),
    );
  }
  await Promise.all(answered);
}

async function churn(
  total: number,
  far: Tally,
  connect: (accept: (c: Connection) => ConnectionHandler) => Promise<Connection>,
): Promise<void> {
  const near = new Tally();
  const warmUp = Math.floor(total / 5 / BATCH) * BATCH;
  let rss = 0;
  let files = 0;
  for (let made = 0; made < total; made += BATCH) {
    if (made === warmUp) {
      await until(() => far.closed === far.opened, "the far ends");
      rss = process.memoryUsage().rss;
      files = openFiles();
    }
    await batch(connect, near);
  }
  await until(() => far.closed === total, "the last far ends");
  assert.equal(near.opened, total);
  assert.equal(near.closed, total);
  assert.equal(far.opened, total);
  await until(() => openFiles() <= files + 5, "the files to be closed");
  const growth = process.memoryUsage().rss - rss;
  assert.ok(growth < BOUND, `the process grew by ${growth} bytes over ${total - warmUp} connections`);
}

/** Registers them; WebSockets are asked for where the transport serves them. */
export function leakCases(make: () => Transport, test: Registrar, webSockets: boolean): void {
  test("ten thousand connections leave nothing behind", async () => {
    const transport = make();
    const far = new Tally();
    const server = await transport.listen({ port: 0 }, far.accept);
    await churn(10_000, far, (accept) => transport.connect({ host: server.host, port: server.port }, accept));
    await server.close();
    const counted = transport as Partial<{ count(): { connections: number; listeners: number } }>;
    if (counted.count) assert.deepEqual(counted.count(), { connections: 0, listeners: 0 });
  });
  if (!webSockets) return;
  test("three thousand WebSockets leave nothing behind", async () => {
    const transport = make();
    const far = new Tally();
    const server = await transport.serve({ port: 0, fetch: (_, env) => env.upgrade(far.accept) });
    await churn(3000, far, (accept) => transport.connect(`ws://${server.host}:${server.port}/`, accept));
    await server.close();
  });
}
