import { beforeEach, expect, test } from "bun:test";
import { LocalMembership } from "./local.ts";
import type { MemberInfo } from "./membership.ts";
import type { View } from "./view.ts";

let membership: LocalMembership;

beforeEach(() => {
  membership = new LocalMembership();
});

const chat = (id: string): MemberInfo => ({ id, role: "chat", address: "127.0.0.1:7001" });
const proxy = (id: string): MemberInfo => ({ id, role: "proxy", address: "127.0.0.1:8080" });
const ids = (view: View): string[] => view.members.map((member) => member.id);

test("a member is in the view when join resolves", async () => {
  const lease = await membership.join(chat("chat-1"));
  expect(ids(membership.view)).toEqual(["chat-1"]);
  expect(membership.placement.owner("lobby")?.id).toBe("chat-1");
  expect([lease.id, lease.slot, lease.held()]).toEqual(["chat-1", 0, true]);
  expect(await membership.open()).toBe(membership.view);
});

test("changes of one turn are delivered once, after the turn", async () => {
  const seen: string[][] = [];
  membership.onView((view) => {
    // The getters and the listener's view agree.
    expect(membership.view).toBe(view);
    expect(membership.placement.view).toBe(view);
    seen.push(ids(view));
  });
  const joins = [membership.join(chat("a")), membership.join(chat("b")), membership.join(proxy("p"))];
  expect(seen).toEqual([]);
  expect(membership.view.members).toEqual([]);
  await Promise.all(joins);
  expect(seen).toEqual([["a", "b", "p"]]);
});

test("a listener that joins another member is not called inside itself", async () => {
  let depth = 0;
  let deepest = 0;
  const seen: number[] = [];
  membership.onView((view) => {
    deepest = Math.max(deepest, ++depth);
    seen.push(view.members.length);
    if (view.members.length < 3) void membership.join(chat(`c${view.members.length}`));
    depth -= 1;
  });
  await membership.join(chat("c0"));
  await membership.open();
  await membership.open();
  expect(seen).toEqual([1, 2, 3]);
  expect(deepest).toBe(1);
});

test("a draining member keeps its slot and owns nothing; leaving frees the slot", async () => {
  const first = await membership.join(chat("a"));
  await membership.join(chat("b"));
  await first.drain();
  expect(membership.view.members[0]?.state).toBe("draining");
  expect(first.held()).toBe(true);
  for (let i = 0; i < 50; i++) expect(membership.placement.owner(`room/${i}`)?.id).toBe("b");
  expect((await membership.join(chat("c"))).slot).toBe(2);
  await first.leave();
  expect(ids(membership.view)).toEqual(["b", "c"]);
  expect(first.held()).toBe(false);
  expect((await membership.join(chat("d"))).slot).toBe(0);
});

test("an id that is taken or malformed is refused", async () => {
  await membership.join(chat("a"));
  await expect(membership.join(chat("a"))).rejects.toMatchObject({ code: "duplicate_member_id" });
  await expect(membership.join(chat("Much Too Long"))).rejects.toMatchObject({ code: "invalid_member_id" });
  expect(ids(membership.view)).toEqual(["a"]);
});

test("a removed member loses its lease as by its death, and can come back as a new incarnation", async () => {
  const lease = await membership.join(chat("a"));
  await membership.join(chat("b"));
  const { incarnation } = lease;
  let rejoined = 0;
  lease.onRejoin(() => rejoined++);
  await membership.remove("a");
  expect([lease.held(), ids(membership.view)]).toEqual([false, ["b"]]);
  await membership.rejoin(chat("a"));
  expect([lease.held(), rejoined, lease.slot]).toEqual([true, 1, 0]);
  expect(lease.incarnation).not.toBe(incarnation);
  expect(membership.view.members[0]?.incarnation).toBe(lease.incarnation);
});

test("a member that comes back after another took its slot gets a new slot", async () => {
  const lease = await membership.join(chat("a"));
  await membership.remove("a");
  await membership.join(chat("b"));
  await membership.rejoin(chat("a"));
  expect(lease.slot).toBe(1);
});

test("leaving late does not withdraw a later member of the same id", async () => {
  const first = await membership.join(chat("a"));
  await membership.remove("a");
  await membership.join(chat("a"));
  await first.leave();
  expect(ids(membership.view)).toEqual(["a"]);
});

test("a listener that was removed hears no more", async () => {
  let heard = 0;
  const off = membership.onView(() => heard++);
  await membership.join(chat("a"));
  off();
  await membership.join(chat("b"));
  expect(heard).toBe(1);
});

test("closing leaves with every member and refuses later ones", async () => {
  const leases = [await membership.join(chat("a")), await membership.join(proxy("p"))];
  await membership.close();
  expect(membership.view.members).toEqual([]);
  expect(leases.map((lease) => lease.held())).toEqual([false, false]);
  await expect(membership.join(chat("b"))).rejects.toMatchObject({ code: "membership_closed" });
});

test("the placement key follows the secret", async () => {
  const other = new LocalMembership({ secret: "s" });
  expect((await other.open()).digest).not.toBe((await membership.open()).digest);
});
