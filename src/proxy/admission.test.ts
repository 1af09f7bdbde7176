import { expect, test } from "bun:test";
import { Metrics } from "../lib/metrics.ts";
import { Admission } from "./admission.ts";
import { PROXY_LIMITS, type ProxyLimits } from "./options.ts";
import type { Session } from "./session.ts";

/** A connection of which only its coming and going matters. */
class FakeSession {
  readonly remoteAddress: string;
  readonly since: number;
  sender: object | undefined;
  ending = false;
  fate = "";

  constructor(remoteAddress = "192.0.2.1", since = 0) {
    this.remoteAddress = remoteAddress;
    this.since = since;
  }

  terminate(): void {
    this.fate = "terminated";
  }

  end(reason: string): void {
    this.fate = reason;
    this.ending = true;
  }

  get session(): Session {
    return this as unknown as Session;
  }
}

function setup(limits: Partial<ProxyLimits> = {}) {
  const metrics = new Metrics();
  const admission = new Admission({ ...PROXY_LIMITS, ...limits }, metrics);
  const come = (fake = new FakeSession()): FakeSession => {
    admission.entered(fake.session);
    admission.trim(fake.session);
    return fake;
  };
  const open = (fake: FakeSession): string | undefined => {
    const reason = admission.opening(fake.session);
    if (reason) return reason;
    fake.sender = {};
    admission.opened(fake.session);
  };
  return { admission, metrics, come, open };
}

test("so many sessions are let in, those being authenticated counted, and the next when one has left", () => {
  const { admission, metrics, come, open } = setup({ maxSessions: 2 });
  const first = come();
  expect(open(first)).toBeUndefined();
  const slow = come();
  expect(admission.opening(slow.session)).toBeUndefined();
  expect(admission.turnsAway("192.0.2.9")).toBe("server_busy");
  const third = come();
  expect(open(third)).toBe("server_busy");
  expect(metrics.get("toychat_sessions_refused_total")).toBe(2);
  admission.left(third.session);
  admission.left(first.session);
  expect(admission.turnsAway("192.0.2.9")).toBeUndefined();
  expect(open(come())).toBeUndefined();
  expect(admission.unauthenticated).toBe(1);
});

test("connections count for their address, whatever has become of them, until they have left", () => {
  const { admission, come, open } = setup({ maxConnectionsPerAddress: 1 });
  const one = come(new FakeSession("192.0.2.1"));
  expect(open(come(new FakeSession("192.0.2.2")))).toBeUndefined();
  const two = come(new FakeSession("192.0.2.1"));
  expect(open(two)).toBe("too_many_connections");
  expect(admission.turnsAway("192.0.2.1")).toBe("too_many_connections");
  admission.left(one.session);
  admission.left(two.session);
  expect(admission.turnsAway("192.0.2.1")).toBeUndefined();
  expect(open(come(new FakeSession("192.0.2.1")))).toBeUndefined();
});

test("the connection that has been silent for longest makes place for a new one", () => {
  const { admission, come, open } = setup({ maxUnauthenticated: 2 });
  const [a, b] = [come(), come()];
  const c = come();
  expect([a.fate, b.fate, c.fate]).toEqual(["terminated", "", ""]);
  expect(open(b)).toBeUndefined();
  const d = come();
  expect([c.fate, d.fate]).toEqual(["", ""]);
  admission.left(a.session);
  expect(admission.unauthenticated).toBe(2);
});

test("where all that wait are being authenticated, the newest goes", () => {
  const { admission, come } = setup({ maxUnauthenticated: 2 });
  const slow = [come(), come()];
  for (const fake of slow) admission.opening(fake.session);
  expect(admission.turnsAway("192.0.2.1")).toBe("server_busy");
  expect(come().fate).toBe("terminated");
  const web = new FakeSession();
  admission.entered(web.session);
  admission.opening(web.session);
  admission.trim(web.session);
  expect(web.fate).toBe("server_busy");
  expect(slow.map(({ fate }) => fate)).toEqual(["", ""]);
});

test("who is not in after the time goes: without a word where it said none, else told", () => {
  const { admission, metrics, come, open } = setup({ authenticationMs: 5000 });
  const silent = come(new FakeSession("a", 1000));
  const opening = come(new FakeSession("a", 1000));
  admission.opening(opening.session);
  const quick = come(new FakeSession("a", 1000));
  open(quick);
  const refused = come(new FakeSession("a", 1000));
  refused.end("refused");
  const late = come(new FakeSession("a", 1001));
  admission.sweep(5999);
  expect([silent, opening, late].map(({ fate }) => fate)).toEqual(["", "", ""]);
  admission.sweep(6000);
  admission.sweep(6000);
  expect([silent, opening, quick, refused, late].map(({ fate }) => fate)).toEqual([
    "terminated",
    "authentication_timeout",
    "",
    "refused",
    "",
  ]);
  expect(metrics.get("toychat_authentication_timeouts_total")).toBe(2);
});

test("clients in their TLS handshake are bounded as those that say nothing, and counted with them", () => {
  const metrics = new Metrics();
  const admission = new Admission({ ...PROXY_LIMITS, maxUnauthenticated: 7 }, metrics, () => 5);
  expect(admission.handshake.most).toBe(7);
  expect(metrics.list()).toContainEqual(["toychat_unauthenticated_connections", "gauge", 5]);
  for (const why of ["evicted", "evicted", "timeout"] as const) admission.handshake.cut?.(why);
  expect(metrics.get("toychat_unauthenticated_evicted_total")).toBe(2);
  expect(metrics.get("toychat_authentication_timeouts_total")).toBe(1);
});
