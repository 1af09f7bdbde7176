/**
 * Certificates for tests, made by openssl and worth nothing anywhere else.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A certificate and its key, PEM, and where they lie. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
  readonly keyFile: string;
}

const CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];

/** An authority of its own, in a folder of its own. */
export class Authority {
  readonly folder: string = mkdtempSync(join(tmpdir(), "toychat-tls-"));
  /** Its certificate, PEM. */
  readonly ca: string;
  readonly #own: Certificate;

  /** Makes the authority. */
  constructor() {
    const files = this.#files("ca");
    this.#openssl("req", "-x509", ...CURVE, "-subj", "/CN=toychat test authority", ...out(files));
    this.#own = this.#read(files);
    this.ca = this.#own.cert;
  }

  /** Where its certificate lies. */
  get caFile(): string {
    return this.#own.certFile;
  }

  /** Signs a certificate for names and addresses, such as `"DNS:localhost"` and `"IP:127.0.0.1"`. */
  sign(name: string, ...names: string[]): Certificate {
    const files = this.#files(name);
    const request = join(this.folder, `${name}.csr`);
    const extensions = join(this.folder, `${name}.ext`);
    writeFileSync(extensions, `subjectAltName=${names.join(",")}\n`);
    this.#openssl(
      "req",
      ...CURVE.slice(0, -2),
      "-subj",
      `/CN=${name}`,
      "-keyout",
      files.keyFile,
      "-out",
      request,
    );
    const signer = ["-CA", this.#own.certFile, "-CAkey", this.#own.keyFile, "-CAcreateserial"];
    this.#openssl(
      "x509",
      "-req",
      "-in",
      request,
      ...signer,
      "-days",
      "2",
      "-extfile",
      extensions,
      "-out",
      files.certFile,
    );
    return this.#read(files);
  }

  /** Removes all files. */
  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #files(name: string): { certFile: string; keyFile: string } {
    return { certFile: join(this.folder, `${name}.crt`), keyFile: join(this.folder, `${name}.key`) };
  }

  #read(files: { certFile: string; keyFile: string }): Certificate {
    return { ...files, cert: readFileSync(files.certFile, "utf8"), key: readFileSync(files.keyFile, "utf8") };
  }

  #openssl(...args: string[]): void {
    execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
  }
}

function out({ certFile, keyFile }: { certFile: string; keyFile: string }): string[] {
  return ["-keyout", keyFile, "-out", certFile];
}
