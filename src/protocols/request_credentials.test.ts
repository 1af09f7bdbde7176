import { expect, test } from "bun:test";
import { requestCredentials } from "./request_credentials.ts";

function read(url: string, headers: Record<string, string> = {}) {
  return requestCredentials(new Request(url, { headers }));
}

const text = (value: string) => btoa(String.fromCharCode(...new TextEncoder().encode(value)));

test("a token comes in the header, a subprotocol or the URL, and the first of these counts", () => {
  const url = "http://h/ws?user=ada&token=c";
  const authorization = "Bearer a";
  const subprotocol = { "sec-websocket-protocol": "toychat, token.b" };
  expect(read(url, { authorization, ...subprotocol })).toMatchObject({ username: "ada", token: "a" });
  expect(read(url, subprotocol)).toMatchObject({ token: "b" });
  expect(read(url)).toMatchObject({ token: "c" });
  expect(read("http://h/ws?token=")).toEqual({ username: undefined, password: undefined, token: undefined });
});

test("a token with other characters goes into a subprotocol as base64url", () => {
  const encoded = text("¿sí / no?").replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  expect(read("http://h/ws", { "sec-websocket-protocol": `toychat,token64.${encoded}` }).token).toBe(
    "¿sí / no?",
  );
  for (const bad of ["token64.", "token64.!!", "token64._w", "token.", "tokens.x"]) {
    expect(read("http://h/ws", { "sec-websocket-protocol": bad }).token).toBeUndefined();
  }
});

test("a name and a password come by Basic authentication, and only whole ones", () => {
  const basic = (value: string) => read("http://h/ws?user=other", { authorization: `Basic ${text(value)}` });
  expect(basic("ada:pass:wörd")).toMatchObject({ username: "ada", password: "pass:wörd", token: undefined });
  expect(basic("ada:")).toMatchObject({ username: "ada", password: "" });
  for (const bad of ["ada", ":x"]) {
    expect(basic(bad)).toMatchObject({ username: "other", password: undefined });
  }
  expect(read("http://h/ws", { authorization: "Basic %%%" }).username).toBeUndefined();
});
