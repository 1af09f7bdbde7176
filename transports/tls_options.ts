/**
 * TLS as the runtimes take it.
 *
 * @module
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import type { ClientTlsOptions, TlsOptions } from "../src/lib/transport.ts";
import { badCertificate } from "./failures.ts";

/** What a server is told, in the words of `node:tls`, which are Bun's as well. */
export interface ServerTls {
  cert: string;
  key: string;
  ca?: string;
  requestCert?: boolean;
  rejectUnauthorized?: boolean;
}

/** What a client is told. */
export interface ClientTls {
  ca?: string;
  cert?: string;
  key?: string;
  rejectUnauthorized: true;
}

/** A server's side. Throws `bad_certificate` where it could not serve: not every runtime looks at once. */
export function serverTls({ cert, key, ca }: TlsOptions): ServerTls {
  try {
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) {
      throw new Error("the key is another certificate's");
    }
    if (ca !== undefined) new X509Certificate(ca);
  } catch (error) {
    throw badCertificate(error);
  }
  const own: ServerTls = { cert, key };
  return ca === undefined ? own : { ...own, ca, requestCert: true, rejectUnauthorized: true };
}

/** A client's side, without the name of the server, which the runtimes spell in two ways. */
export function clientTls({ ca, cert, key }: ClientTlsOptions): ClientTls {
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    rejectUnauthorized: true,
  };
}
