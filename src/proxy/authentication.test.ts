import { expect, test } from "bun:test";
import { ManualClock } from "../../tests/support/manual_clock.ts";
import { Metrics } from "../lib/metrics.ts";
import type { Authenticate } from "../protocols/credentials.ts";
import { Authentication } from "./authentication.ts";

const CREDENTIALS = { protocol: "mqtt", remoteAddress: "192.0.2.1" };

function setup(authenticate?: Authenticate) {
  const clock = new ManualClock();
  const metrics = new Metrics();
  const logged: string[] = [];
  const log = (level: string, event: string): void => void logged.push(`${level} ${event}`);
  const authentication = new Authentication(authenticate, { clock, metrics, log, limitMs: 5000 });
  return { clock, metrics, logged, authentication };
}

test("without an authenticate a client is its user name, else its client identifier, else a new name", async () => {
  const { authentication } = setup();
  const name = async (given: object) => {
    const user = await authentication.check({ ...CREDENTIALS, ...given });
    return "id" in user ? user.id : user.refused;
  };
  expect(await name({ username: "ada", clientId: "phone" })).toBe("ada");
  expect(await name({ clientId: "phone" })).toBe("phone");
  expect(await name({})).toMatch(/^guest-[a-z0-9]{6}$/);
  expect(await name({ username: "\ud800" })).toBe("bad_credentials");
});

test("a user is an id, or an id with claims and an end", async () => {
  const check = (answer: Awaited<ReturnType<Authenticate>>) =>
    setup(() => Promise.resolve(answer)).authentication.check(CREDENTIALS);
  expect(await check("ada")).toEqual({ id: "ada", claims: {} });
  expect(await check({ id: "ada", claims: { admin: true } })).toEqual({ id: "ada", claims: { admin: true } });
  const expiresAt = new ManualClock().wallTime() + 1;
  expect(await check({ id: "ada", expiresAt })).toEqual({ id: "ada", claims: {}, expiresAt });
});

test("a refusal is a refusal, and is counted as one", async () => {
  const answers = [
    [undefined, "bad_credentials"],
    [{ refused: "bad_credentials" }, "bad_credentials"],
    [{ refused: "not_authorized", reason: "banned" }, "not_authorized"],
    [{ id: "ada", expiresAt: 0 }, "bad_credentials"],
  ] as const;
  for (const [answer, refused] of answers) {
    const { authentication, metrics, logged } = setup(() => answer);
    expect(await authentication.check(CREDENTIALS)).toMatchObject({ refused });
    expect(metrics.get("toychat_authentications_refused_total")).toBe(1);
    expect(metrics.get("toychat_authentication_failures_total")).toBe(0);
    expect(logged).toEqual([]);
  }
});

test("what throws, rejects or answers nonsense lets nobody in, and is logged and counted as a failure", async () => {
  const failures: (() => unknown)[] = [
    () => {
      throw new Error("no database");
    },
    () => Promise.reject(new Error("no database")),
    () => null,
    () => true,
    () => ({}),
    () => ({ id: 7 }),
    () => ({ refused: true }),
    () => ({ id: "ada", expiresAt: NaN }),
  ];
  for (const failure of failures) {
    const { authentication, metrics, logged } = setup(failure as Authenticate);
    expect(await authentication.check(CREDENTIALS)).toEqual({ refused: "unavailable" });
    expect(metrics.get("toychat_authentication_failures_total")).toBe(1);
    expect(metrics.get("toychat_authentications_refused_total")).toBe(0);
    expect(logged).toEqual(["error authenticate_failed"]);
  }
});

test("an answer that comes after its time lets nobody in", async () => {
  let answer: (user: string) => void = () => {};
  const { authentication, clock, metrics } = setup(() => new Promise((resolve) => answer = resolve));
  const checked = authentication.check(CREDENTIALS);
  clock.advance(5000);
  answer("ada");
  expect(await checked).toEqual({ refused: "unavailable" });
  expect(metrics.get("toychat_authentication_failures_total")).toBe(1);
  expect(clock.pending).toBe(0);
});
