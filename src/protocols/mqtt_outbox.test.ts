import { expect, test } from "bun:test";
import type { PublishTemplate } from "./mqtt_frames.ts";
import { Outbox } from "./mqtt_outbox.ts";

const template = (length: number): PublishTemplate => ({ bytes: new Uint8Array(length), idAt: 0 });

test("one delivery longer than all that may wait is no reason to end a client; two are, or what waits beside it", () => {
  const sent: number[] = [];
  const outbox = new Outbox(1, (frame) => sent.push(frame.length), 100);
  expect(outbox.take(template(500))?.length).toBe(500);
  outbox.take(template(300));
  outbox.take(template(100));
  expect(outbox.overfull).toBe(false);
  outbox.take(template(1));
  expect(outbox.overfull).toBe(true);
  outbox.acknowledged(1);
  expect([sent, outbox.overfull]).toEqual([[300], true]);
  outbox.acknowledged(2);
  expect([sent, outbox.overfull]).toEqual([[300, 100], false]);
  outbox.take(template(200));
  expect(outbox.overfull).toBe(false);
  outbox.take(template(200));
  expect(outbox.overfull).toBe(true);
});
