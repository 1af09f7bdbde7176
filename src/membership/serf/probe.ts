/**
 * Whether a ChatServer lives, asked at the address where it takes links.
 *
 * @module
 */
import type { Clock } from "../../lib/clock.ts";
import { ToychatError } from "../../lib/errors.ts";
import type { Connection, TcpAddress, Transport } from "../../lib/transport.ts";
import type { Member } from "../view.ts";

/**
 * What came of asking a member: it gave a sign of life; it said itself that it may not accept any more, or another life is
 * where it was; its host refused the connection, as nobody listens there; or nothing, which may be the network.
 */
export type Sign = "life" | "over" | "refused" | "nothing";

/** How a member is asked for a sign of life. Never rejects. */
export type Probe = (member: Pick<Member, "id" | "incarnation" | "role" | "address">) => Promise<Sign>;

/** Milliseconds for a connection and a sign of life. */
const PROBE_MS = 1000;
/** No link begins so, with TLS or without: a process that runs answers, or hangs up. */
const NO_LINK = "toychat?\n";
/** How a hello begins. */
const HELLO = '{"type":"hello"';
/** A hello is shorter; so much is read of whatever answers. */
const MAX_HELLO_BYTES = 2048;

function endpoint(address: string): TcpAddress {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(address.slice(colon + 1)) };
}

/**
 * Makes a probe: connects, says something that is no link, and takes any byte or the end of the connection for life. A
 * connection alone is none: the kernel takes it for a frozen process as well. A ChatServer says hello first, and so
 * whether it is the one in question, and may accept; where its links have TLS nobody can read that.
 */
export function tcpProbe(transport: Transport, clock: Clock): Probe {
  return (member) =>
    new Promise((resolve) => {
      const abort = new AbortController();
      const decoder = new TextDecoder();
      let opened: Connection | undefined;
      let heard = "";
      const done = (sign: Sign): void => {
        cancel();
        abort.abort();
        opened?.terminate();
        resolve(sign);
      };
      const cancel = clock.after(PROBE_MS, () => done(heard === "" ? "nothing" : "life"));
      const data = (chunk: Uint8Array | string): void => {
        heard += typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
        const isHello = member.role === "chat" && HELLO.startsWith(heard.slice(0, HELLO.length));
        const end = heard.indexOf("\n");
        if (isHello && end < 0 && heard.length < MAX_HELLO_BYTES) return;
        done(isHello && end >= 0 && isOver(heard.slice(0, end), member) ? "over" : "life");
      };
      transport.connect(endpoint(member.address), (connection) => {
        opened = connection;
        return { data, drain: () => {}, close: () => done("life") };
      }, { signal: abort.signal }).then(
        (connection) => connection.send(NO_LINK),
        (error) => done(isRefusal(error) ? "refused" : "nothing"),
      );
    });
}

/** Whether a hello says that a life of a member has ended. What cannot be read says nothing. */
function isOver(line: string, { id, incarnation }: Pick<Member, "id" | "incarnation">): boolean {
  try {
    const hello = JSON.parse(line);
    return hello.lapsed === true || hello.id !== id || hello.incarnation !== incarnation;
  } catch {
    return false;
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof ToychatError && error.code === "connection_refused";
}
