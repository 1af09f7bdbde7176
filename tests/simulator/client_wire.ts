/**
 * What clients share that speak a real protocol over the network.
 *
 * @module
 */
import type { Address, Connection, ConnectionHandler } from "../../src/lib/transport.ts";
import { errorMessage } from "../../src/lib/errors.ts";
import { Client } from "./client.ts";

/** A client on a host of its own. */
export abstract class WireClient extends Client {
  /** Undefined until it is connected. */
  protected connection: Connection | undefined;

  /** Connects; one that fails is over. */
  protected dial(address: Address, protocols: readonly string[]): void {
    const host = this.cluster.network.at(this.user);
    host.connect(address, (connection) => this.#connected(connection), { protocols }).catch(() =>
      this.ended()
    );
  }

  #connected(connection: Connection): ConnectionHandler {
    this.connection = connection;
    // It may have gone meanwhile, or its proxy may have, and another life of that one has answered.
    if (!this.proxy.clock.alive) this.ended();
    if (this.endedAt !== undefined) connection.terminate();
    const { data } = this.begin(connection);
    return { data: (chunk) => this.#read(() => data(chunk)), drain() {}, close: () => this.ended() };
  }

  /** What a server sends that it must not is a fault of the run. */
  #read(take: () => void): void {
    try {
      take();
    } catch (error) {
      this.cluster.faults.push(`${this.now} ${this.user}: ${errorMessage(error)}`);
    }
  }

  /** The connection stands: says hello, and takes what comes. */
  protected abstract begin(connection: Connection): Pick<ConnectionHandler, "data">;

  protected override get ready(): boolean {
    return this.connection !== undefined && this.endedAt === undefined;
  }

  protected override hangUp(inOrder: boolean): void {
    if (inOrder) this.connection?.close();
    else this.connection?.terminate();
  }

  protected override read(on: boolean): void {
    if (on) this.connection?.resume();
    else this.connection?.pause();
  }
}
