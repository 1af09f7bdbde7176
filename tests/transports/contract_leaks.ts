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

/** Rounds of which one must stay below the bound: a leak grows in each, while a collector catches up in one of them. */
const ROUNDS = 4;

async function churn(
  total: number,
  far: Tally,
  connect: (accept: (c: Connection) => ConnectionHandler) => Promise<Connection>,
): Promise<void> {
  const near = new Tally();
  let made = 0;
  const make = async (count: number): Promise<void> => {
    for (const end = made + count; made < end; made += BATCH) await batch(connect, near);
    await until(() => far.closed === made, "the far ends");
    assert.deepEqual([near.opened, near.closed, far.opened], [made, made, made]);
  };
  const warmUp = Math.floor(total / 5 / BATCH) * BATCH;
  await make(warmUp);
  const files = openFiles();
  const growths: number[] = [];
  do {
    const rss = process.memoryUsage().rss;
    await make(total - warmUp);
    growths.push(process.memoryUsage().rss - rss);
  } while (growths.length < ROUNDS && Math.min(...growths) >= BOUND);
  await until(() => openFiles() <= files + 5, "the files to be closed");
  const least = Math.min(...growths);
  assert.ok(
    least < BOUND,
    `the process grew by ${growths} bytes over ${total - warmUp} connections each time`,
  );
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
