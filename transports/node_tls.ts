/**
 * Servers of `node:tls` and `node:https`, for Node and Deno: their certificate, and the bounds on their handshakes.
 *
 * @module
 */

import type { Socket } from "node:net";
import type tls from "node:tls";
import { systemClock } from "../src/lib/clock.ts";
import type { HandshakeOptions, ListenSocket, TlsOptions } from "../src/lib/transport.ts";
import { badCertificate } from "./failures.ts";
import { Handshakes } from "./handshakes.ts";
import { type ServerTls, serverTls } from "./tls_options.ts";

/** Makes a server with TLS; throws `bad_certificate` where its certificate or key is none. */
export function secureServer<S>(
  options: TlsOptions,
  make: (material: ServerTls & { minVersion: "TLSv1.2"; noDelay: true }) => S,
): S {
  const material = serverTls(options);
  try {
    return make({ ...material, minVersion: "TLSv1.2", noDelay: true });
  } catch (error) {
    throw badCertificate(error);
  }
}

/** What a listening socket with TLS has beside one without. Call it before connections come. */
export function secured(
  server: tls.Server,
  options: HandshakeOptions | undefined,
): Required<Pick<ListenSocket, "handshakes" | "setCertificate">> {
  const handshakes = boundHandshakes(server, options);
  return {
    handshakes: () => handshakes.size,
    setCertificate(fresh) {
      const material = serverTls(fresh);
      try {
        server.setSecureContext({ ...material, minVersion: "TLSv1.2" });
      } catch (error) {
        throw badCertificate(error);
      }
    },
  };
}

/** A socket in its handshake, and what is called when that is over. */
interface Opening {
  readonly raw: Socket;
  readonly over: () => void;
}

/**
 * A server tells of the bare socket when it comes, and of another one, with TLS, when the handshake is done: the peer's
 * address says which one it was.
 */
function boundHandshakes(server: tls.Server, options: HandshakeOptions | undefined): Handshakes<Opening> {
  const openings = new Map<string, Opening>();
  const handshakes = new Handshakes<Opening>(options, systemClock, ({ raw }) => raw.destroy());
  server.on("connection", (raw: Socket) => {
    const peer = peerOf(raw);
    const over = () => {
      // Whoever goes may come again from the same port before its end is told.
      if (openings.get(peer) === opening) openings.delete(peer);
      handshakes.end(opening);
    };
    const opening: Opening = { raw, over };
    openings.set(peer, opening);
    raw.once("close", over);
    handshakes.begin(opening);
  });
  // One that has ended by now has no address any more; its bare socket's close tells.
  server.on("secureConnection", (socket: Socket) => {
    const opening = openings.get(peerOf(socket));
    if (!opening) return;
    opening.raw.off("close", opening.over);
    opening.over();
  });
  return handshakes;
}

function peerOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}
