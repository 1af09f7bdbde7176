/**
 * A client's standing connections to its agent: one for what is answered at once and for the stream, one for what takes
 * its time. The agent serves each connection serially; nothing that is quick waits behind something slow.
 *
 * @module
 */
import type { ToychatError } from "../../lib/errors.ts";
import { openSerfConnection, type SerfConnection, type SerfConnectionOptions } from "./serf_connection.ts";
import { readEvent } from "./serf_read.ts";
import type { SerfEvent, SerfStats } from "./serf_types.ts";

/** Options of {@linkcode openSerfSession}. */
export interface SerfSessionOptions extends Omit<SerfConnectionOptions, "onEnd"> {
  /** Takes what the stream tells; also before the session is open to its user. Must not throw. */
  readonly onEvent: (event: SerfEvent) => void;
  /** One of the two connections has ended, and the other one with it. Called once, and only after the opening. */
  readonly onEnd: (reason: ToychatError) => void;
}

/** Two connections that live and end together. */
export class SerfSession {
  /** For what is answered at once. */
  readonly fast: SerfConnection;
  /** For what takes its time. */
  readonly slow: SerfConnection;
  /** What the agent said about itself. */
  readonly stats: SerfStats;
  /** Resolves when the session has ended. */
  readonly ended: Promise<void>;

  /** Takes over what is open. */
  constructor(fast: SerfConnection, slow: SerfConnection, stats: SerfStats, ended: Promise<void>) {
    this.fast = fast;
    this.slow = slow;
    this.stats = stats;
    this.ended = ended;
  }

  /** Why it has ended; undefined while it lives. */
  get over(): ToychatError | undefined {
    return this.fast.over;
  }

  /** Ends both connections, and every call on them, by an error. */
  end(reason: ToychatError): void {
    this.fast.end(reason);
  }
}

/**
 * Opens both connections and the stream.
 *
 * @throws {ToychatError} what {@linkcode openSerfConnection} throws.
 */
export async function openSerfSession(options: SerfSessionOptions): Promise<SerfSession> {
  const both: SerfConnection[] = [];
  let failed: ToychatError | undefined;
  let isOpen = false;
  let ended: () => void = () => {};
  const end = new Promise<void>((resolve) => ended = resolve);
  const onEnd = (reason: ToychatError): void => {
    if (failed) return;
    failed = reason;
    for (const connection of both) connection.end(reason);
    if (isOpen) options.onEnd(reason);
    ended();
  };
  const open = async (): Promise<SerfStats> => {
    const { connection, stats } = await openSerfConnection({ ...options, onEnd });
    if (failed) connection.end(failed);
    both.push(connection);
    return stats;
  };
  try {
    // One after the other: should the first be refused, the agent is not asked a second time.
    const stats = await open();
    await open();
    const [fast, slow] = both as [SerfConnection, SerfConnection];
    await openStream(fast, options);
    if (failed) throw failed;
    isOpen = true;
    return new SerfSession(fast, slow, stats, end);
  } catch (error) {
    onEnd(error as ToychatError);
    throw error;
  }
}

function openStream(connection: SerfConnection, { onEvent, timeoutMs }: SerfSessionOptions): Promise<void> {
  const record = (body: unknown): boolean => {
    onEvent(readEvent(body));
    return false;
  };
  return connection.call({ command: "stream", body: { Type: "*" }, record, endless: true, timeoutMs });
}
