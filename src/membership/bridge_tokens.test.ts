import { expect, test } from "bun:test";
import { bridgeToken, type BridgeTokenOptions, BridgeTokens, readTokens } from "./bridge_tokens.ts";

const READ = "952b22fefd5d9370505bf634904ba54bfe9d091e21c9a01845b870198a0decce";
const MEMBER = "40c97e38ff835e259e34f53f1b5a1f707550caa3af89aed3c8dcca9a62ca6b8b";
const ADMIN = "730fafc1bbf1af43101493f2a0a1a209a820f201a9cfb26f8f0f6724f8a1687e";

test("the tokens of a secret are those of docs/protocol.md, each for its scope", () => {
  // From an independent implementation in Python (hashlib.blake2b).
  const scopes = ["read", "member", "admin"] as const;
  expect(scopes.map((scope) => bridgeToken("correct horse", scope))).toEqual([READ, MEMBER, ADMIN]);
  const tokens = new BridgeTokens("correct horse");
  expect([READ, MEMBER, ADMIN].map((token) => tokens.scopeOf(token))).toEqual([...scopes]);
  expect(new BridgeTokens("correct horsf").scopeOf(ADMIN)).toBeUndefined();
});

test("what is none is good for nothing", () => {
  const tokens = new BridgeTokens("correct horse", { admin: "an-admin-of-long-standing" });
  for (const bad of [undefined, null, 5, {}, [READ], "", READ.slice(1), `${READ}0`, READ.toUpperCase()]) {
    expect(tokens.scopeOf(bad)).toBeUndefined();
  }
  for (const bad of [undefined, "", READ, `Basic ${READ}`, `Bearer ${READ} x`, "Bearer ", "Bearer  "]) {
    expect(tokens.scopeOfHeader(bad)).toBeUndefined();
  }
  expect(tokens.scopeOfHeader(`bearer ${READ}`)).toBe("read");
});

test("tokens of one's own count beside those of the secret, several for a scope, the highest scope of each", () => {
  const given = { read: ["first-reader-0001", "both-of-them-0001"], member: "both-of-them-0001" };
  const tokens = new BridgeTokens("correct horse", given);
  expect(tokens.scopeOf("first-reader-0001")).toBe("read");
  expect(tokens.scopeOf("both-of-them-0001")).toBe("member");
  expect(tokens.scopeOf(ADMIN)).toBe("admin");
  const alone = new BridgeTokens(undefined, given);
  expect([alone.none, alone.scopeOf(ADMIN)]).toEqual([false, undefined]);
  expect(new BridgeTokens(undefined).none).toBe(true);
  expect(new BridgeTokens(undefined).scopeOf("")).toBeUndefined();
});

test("tokens that could be guessed, or are for no scope, are refused", () => {
  const wrong: unknown[] = [
    null,
    ["a-token-long-enough"],
    { read: "short" },
    { read: "has spaces in it, and more" },
    { read: 12345678901234567890 },
    { owner: "a-token-long-enough" },
    JSON.parse('{"__proto__": "a-token-long-enough"}'),
  ];
  for (const given of wrong) {
    expect(() => new BridgeTokens("s", given as BridgeTokenOptions)).toThrow(/write/);
  }
  expect(readTokens({}).size).toBe(0);
});
