import { expect, test } from "bun:test";
import { BridgeAuth } from "./bridge_auth.ts";

const auth = new BridgeAuth("correct horse");
const challenge = {
  cluster: "toychat",
  bridge: "b0b0b0b0b0b0",
  memberNonce: "00112233445566778899aabbccddeeff",
  bridgeNonce: "ffeeddccbbaa99887766554433221100",
};
const PROOF = "77cf5f676c987703ac30e738d01c9c8eca66fc2c97aafaad37a98fee28276987";

test("proofs are those of docs/protocol.md", () => {
  // From an independent implementation in Python (hashlib.blake2b).
  expect(auth.prove("member", challenge)).toBe(PROOF);
  expect(auth.prove("bridge", challenge)).toBe(
    "3dde50950e5f89d0f5f05271a0d4dc2ce748cf827892c0fe4855ff3c9cd91c1c",
  );
});

test("a proof holds for one side, one connection, one cluster, one secret", () => {
  expect(auth.proves("member", challenge, PROOF)).toBe(true);
  expect(auth.proves("bridge", challenge, PROOF)).toBe(false);
  expect(auth.proves("member", { ...challenge, bridgeNonce: challenge.memberNonce }, PROOF)).toBe(false);
  expect(auth.proves("member", { ...challenge, cluster: "other" }, PROOF)).toBe(false);
  expect(new BridgeAuth("correct horsf").proves("member", challenge, PROOF)).toBe(false);
  for (const bad of [undefined, 5, "", PROOF.slice(1), PROOF.toUpperCase(), `${PROOF}00`, ["x"]]) {
    expect(auth.proves("member", challenge, bad)).toBe(false);
  }
});
