import { expect, test } from "bun:test";
import type { HelloFrame, WelcomeFrame } from "./frames.ts";
import { acceptProof, base64url, dialProof, sameProof } from "./proof.ts";

const dialled: HelloFrame = {
  type: "hello",
  version: 1,
  role: "chat",
  id: "c1",
  incarnation: "k3v9",
  cluster: "toychat",
  nonce: "AAECAwQFBgcICQoLDA0ODw",
};
const dialling: HelloFrame = {
  type: "hello",
  version: 1,
  role: "proxy",
  id: "p1",
  incarnation: "x7q2",
  cluster: "toychat",
  nonce: "EBESExQVFhcYGRobHB0eHw",
};
const welcome: WelcomeFrame = { type: "welcome", link: "l1nk", received: 0 };
const resumed: HelloFrame = { ...dialling, resume: { link: "l1nk", received: 41 } };

/** The same by Web Crypto, over the bytes as the documentation writes them. */
async function reference(secret: string, text: string): Promise<string> {
  const encoder = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, ["sign"]);
  return base64url(new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(text))));
}

const BOTH =
  "1\nchat\nc1\nk3v9\ntoychat\nAAECAwQFBgcICQoLDA0ODw\n1\nproxy\np1\nx7q2\ntoychat\nEBESExQVFhcYGRobHB0eHw\n";

test("the proofs are the documented test vectors", async () => {
  const secret = "correct horse battery staple";
  const vectors = [
    [
      dialProof(secret, dialled, dialling),
      "toychat link 1 dial\n" + BOTH + "\n\n",
      "9Lp4RwDZu0EhrXp_Uk7UKMvP8itMwlZxdg5NwECTrVk",
    ],
    [
      dialProof(secret, dialled, resumed),
      "toychat link 1 dial\n" + BOTH + "l1nk\n41\n",
      "BChs8qgrjpCbRF7RkD1qaLp2-zPrI85rHqf7SmWcDWk",
    ],
    [
      acceptProof(secret, dialled, dialling, welcome),
      "toychat link 1 accept\n" + BOTH + "\n\nl1nk\n0\n",
      "FosGiZR6hgRjOdmkQfLMd5kwdP5CX79tVXyS_i_5Pzg",
    ],
  ] as const;
  for (const [proof, text, expected] of vectors) {
    expect(proof).toBe(await reference(secret, text));
    expect(proof as string).toBe(expected);
  }
});

test("the proofs depend on everything that was said, and on the secret", () => {
  const base = dialProof("s", dialled, dialling);
  const others = [
    dialProof("t", dialled, dialling),
    dialProof("s", dialling, dialled),
    dialProof("s", dialled, resumed),
    dialProof("s", { ...dialled, nonce: "BBECAwQFBgcICQoLDA0ODw" }, dialling),
    dialProof("s", { ...dialled, incarnation: "k3v8" }, dialling),
    dialProof("s", dialled, { ...dialling, nonce: "FBESExQVFhcYGRobHB0eHw" }),
    dialProof("s", dialled, { ...dialling, id: "p2" }),
    dialProof("s", dialled, { ...dialling, role: "chat" }),
    acceptProof("s", dialled, dialling, welcome),
    acceptProof("s", dialled, dialling, { ...welcome, link: "l2nk" }),
    acceptProof("s", dialled, dialling, { ...welcome, received: 1 }),
  ];
  expect(new Set([base, ...others]).size).toBe(others.length + 1);
  expect(dialProof("s", dialled, { ...dialling, mac: "anything" })).toBe(base);
});

test("proofs are the same only where every character is", () => {
  expect(sameProof("abc", "abc")).toBe(true);
  for (const other of ["abd", "Abc", "ab", "abcd", ""]) expect(sameProof(other, "abc")).toBe(false);
});
