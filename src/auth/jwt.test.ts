import { afterEach, describe, expect, test } from "bun:test";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from "jose";
import { ManualClock } from "../../tests/support/manual_clock.ts";
import type { AuthenticateResult } from "../protocols/credentials.ts";
import { jwt, type JwtOptions } from "./jwt.ts";

const SECRET = "0123456789abcdef0123456789abcdef";
const clock = new ManualClock();
const NOW = Math.floor(clock.wallTime() / 1000);
const SHARED = { key: SECRET, algorithms: ["HS256"], issuer: "me", audience: "chat", clock } as const;
const GOOD = { sub: "ada", iss: "me", aud: "chat", exp: NOW + 60 };

type SigningKey = Parameters<SignJWT["sign"]>[0];
const bytes = (text: string) => new TextEncoder().encode(text);

function sign(
  claims: JWTPayload,
  key: SigningKey = bytes(SECRET),
  alg = "HS256",
  kid?: string,
): Promise<string> {
  return new SignJWT(claims).setProtectedHeader(kid ? { alg, kid } : { alg }).sign(key);
}

async function check(options: JwtOptions, token: string | undefined): Promise<AuthenticateResult> {
  return await jwt(options)({ protocol: "mqtt", remoteAddress: "", token });
}

const NOT_ACCEPTED = { refused: "bad_credentials" };

describe("a token", () => {
  test("that is good lets its user in, with its claims, until it ends", async () => {
    const claims = { ...GOOD, rooms: ["plaza"] };
    const user = await check(SHARED, await sign(claims));
    expect(user).toEqual({ id: "ada", claims, expiresAt: (GOOD.exp + 5) * 1000 });
    const lasting = await check({ ...SHARED, endAtExpiry: false }, await sign(claims));
    expect(lasting).toEqual({ id: "ada", claims });
  });

  test("that is missing, mangled, too long or signed with another key is refused", async () => {
    const good = await sign(GOOD);
    const other = await sign(GOOD, bytes("another secret of at least 32 bytes"));
    const [head, body, tail] = good.split(".");
    const bad = [undefined, "", "x", "a.b.c", `${head}.${body}.`, `${head}.${btoa("{}")}.${tail}`, other];
    for (const token of [...bad, good + "A".repeat(9000)]) {
      expect(await check(SHARED, token)).toMatchObject(NOT_ACCEPTED);
    }
    expect(await check(SHARED, good)).toMatchObject({ id: "ada" });
  });

  test("for another issuer or audience, or out of its time, is refused", async () => {
    const bad: JWTPayload[] = [
      { ...GOOD, iss: "you" },
      { ...GOOD, aud: "mail" },
      { sub: "ada", exp: GOOD.exp },
      { ...GOOD, nbf: NOW + 60 },
      { ...GOOD, exp: NOW - 6 },
    ];
    for (const claims of bad) expect(await check(SHARED, await sign(claims))).toMatchObject(NOT_ACCEPTED);
    expect(await check(SHARED, await sign({ ...GOOD, exp: NOW - 4 }))).toMatchObject({ id: "ada" });
    expect(await check(SHARED, await sign({ ...GOOD, aud: ["mail", "chat"] }))).toMatchObject({ id: "ada" });
  });

  test("without an end is refused, unless that is allowed", async () => {
    const { exp: _, ...endless } = GOOD;
    expect(await check(SHARED, await sign(endless))).toMatchObject(NOT_ACCEPTED);
    const user = await check({ ...SHARED, requireExpiry: false }, await sign(endless));
    expect(user).toEqual({ id: "ada", claims: endless });
  });

  test("names its user by the claim that is asked for, and by a text", async () => {
    const options = { ...SHARED, userClaim: "name" };
    expect(await check(options, await sign({ ...GOOD, name: "Ada L" }))).toMatchObject({ id: "Ada L" });
    for (const name of [undefined, "", 7, ["ada"]]) {
      expect(await check(options, await sign({ ...GOOD, name }))).toMatchObject(NOT_ACCEPTED);
    }
    expect(await check({ ...SHARED, userClaim: "constructor" }, await sign(GOOD))).toMatchObject(
      NOT_ACCEPTED,
    );
  });

  test("cannot choose how it is checked", async () => {
    const { publicKey } = await generateKeyPair("RS256", { extractable: true });
    const pem = await exportSPKI(publicKey);
    const rsa = { ...SHARED, key: pem, algorithms: ["RS256"] } as const;
    const unsigned = new UnsecuredJWT(GOOD).encode();
    // The public key, which everybody knows, taken for a shared secret.
    const confused = await sign(GOOD, bytes(pem));
    for (const token of [unsigned, confused]) {
      expect(await check(rsa, token)).toMatchObject(NOT_ACCEPTED);
      expect(await check(SHARED, token)).toMatchObject(NOT_ACCEPTED);
    }
    const long = "0123456789abcdef".repeat(4);
    expect(await check({ ...SHARED, key: long }, await sign(GOOD, bytes(long), "HS512"))).toMatchObject(
      NOT_ACCEPTED,
    );
  });

  test("is checked with a public key, as PEM, JWK or CryptoKey", async () => {
    for (const algorithm of ["ES256", "RS256", "EdDSA"] as const) {
      const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true });
      const token = await sign(GOOD, privateKey, algorithm);
      for (const key of [await exportSPKI(publicKey), { ...await exportJWK(publicKey) }, publicKey]) {
        const user = await check({ ...SHARED, key, algorithms: [algorithm] }, token);
        expect(user).toMatchObject({ id: "ada" });
      }
    }
  });
});

describe("an issuer's published keys", () => {
  let server: Server | undefined;
  afterEach(() => void server?.close());

  test("are fetched once; a key that is not among them is refused; where they cannot be had, asking fails", async () => {
    const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
    const keys = [{ ...await exportJWK(publicKey), kid: "k1", alg: "ES256" }];
    let fetched = 0;
    let status = 200;
    server = createServer((_, response) => {
      fetched++;
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ keys }));
    });
    await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const options = {
      jwksUrl: `http://127.0.0.1:${port}/`,
      algorithms: ["ES256"],
      audience: "chat",
      clock,
    } as const;
    const ask = jwt(options);
    const credentials = { protocol: "mqtt", remoteAddress: "" };
    const token = await sign(GOOD, privateKey, "ES256", "k1");
    for (let i = 0; i < 3; i++) expect(await ask({ ...credentials, token })).toMatchObject({ id: "ada" });
    expect(fetched).toBe(1);
    const unknown = await sign(GOOD, privateKey, "ES256", "k2");
    for (let i = 0; i < 3; i++) {
      expect(await ask({ ...credentials, token: unknown })).toMatchObject(NOT_ACCEPTED);
    }
    // The keys were fetched just now: unknown ones do not have them fetched again and again.
    expect(fetched).toBe(1);
    status = 500;
    await expect(Promise.resolve(jwt(options)({ ...credentials, token }))).rejects.toThrow("200 OK");
  });
});

test("options that are not safe are refused with what to write", async () => {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const jwksUrl = "https://login.example/keys";
  const wrong: [Partial<Record<keyof JwtOptions, unknown>>, string][] = [
    [{ key: SECRET, algorithms: [] }, "algorithms is empty"],
    [{ key: SECRET }, "algorithms is empty"],
    [{ key: SECRET, algorithms: ["none"] }, 'algorithms has "none"'],
    [{ algorithms: ["HS256"] }, "either a key or a jwksUrl"],
    [{ key: SECRET, jwksUrl, algorithms: ["HS256"] }, "either a key or a jwksUrl"],
    [{ key: "short", algorithms: ["HS256"] }, "has 5 bytes: use 32 or more"],
    [{ key: SECRET, algorithms: ["HS512"] }, "has 32 bytes: use 64 or more"],
    [{ key: SECRET, algorithms: ["HS256", "RS256"] }, "one key has one algorithm"],
    [
      { key: "-----BEGIN PUBLIC KEY-----\n" + SECRET, algorithms: ["HS256"] },
      "is PEM, which others may know",
    ],
    [{ key: SECRET, algorithms: ["RS256"] }, "no public key in PEM"],
    [{ key: bytes(SECRET), algorithms: ["RS256"] }, "is bytes"],
    [{ key: await exportJWK(privateKey), algorithms: ["ES256"] }, "is a private one"],
    [{ key: privateKey, algorithms: ["ES256"] }, "is a private one"],
    [{ key: { kty: "oct", k: "AAAA" }, algorithms: ["HS256"] }, "neither text nor bytes"],
    [{ jwksUrl: "http://login.example/keys", algorithms: ["RS256"], audience: "chat" }, "give an https: URL"],
    [{ jwksUrl: "keys", algorithms: ["RS256"], audience: "chat" }, "give an https: URL"],
    [{ jwksUrl, algorithms: ["HS256"], audience: "chat" }, "it cannot come from a jwksUrl"],
    [{ jwksUrl, algorithms: ["RS256"] }, "audience is missing"],
    [{ key: SECRET, algorithms: ["HS256"], clockTolerance: -1 }, "clockTolerance is -1"],
  ];
  for (const [options, message] of wrong) {
    expect(() => jwt(options as unknown as JwtOptions)).toThrow(message);
  }
});
