import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { placementKey } from "../placement.ts";
import { clusterTag, hostHash, SEQ_MODULUS } from "./host_tag.ts";
import {
  type Asker,
  decodeAnswer,
  decodeQuestion,
  encodeAnswer,
  encodeQuestion,
  type LiveAnswer,
  MAX_TESTIMONY,
} from "./live_query.ts";

const TAG = clusterTag("main", placementKey());
const OTHER = clusterTag("test", placementKey());
const ASKER: Asker = { host: hostHash("asker"), ltime: 1 };
const bytes = fc.uint8Array({ maxLength: 60 }).map((bytes) => String.fromCharCode(...bytes));
const hash = fc.string().map(hostHash);

test("a question and an answer arrive as they were sent", () => {
  const hashes = fc.uniqueArray(hash);
  const seqs = fc.nat(SEQ_MODULUS - 1);
  fc.assert(
    fc.property(
      hash,
      seqs,
      fc.boolean(),
      hashes,
      hashes,
      fc.nat(),
      (host, seq, lost, silent, back, count) => {
        expect(decodeQuestion(encodeQuestion(TAG, host), TAG)).toEqual({ host, late: [] });
        expect(decodeQuestion(encodeQuestion(TAG, host, back), TAG)).toEqual({
          host,
          late: back.slice(0, 100),
        });
        const dropped = silent.slice(0, count % (silent.length + 1));
        const out = [...dropped, ...back.filter((hash) => !silent.includes(hash))];
        const read = decodeAnswer(encodeAnswer(TAG, { host, seq, lost, silent, out }, ASKER), TAG);
        expect(read).toEqual({
          host,
          seq,
          lost,
          silent: expect.arrayContaining(silent),
          dropped: [...dropped].sort(),
          out: expect.arrayContaining(out),
        });
        expect([read?.silent.length, read?.out.length]).toEqual([silent.length, out.length]);
      },
    ),
  );
});

test("a host that was dropped and has been heard again is told to be out, and nobody may drop it by that", () => {
  const [host, back] = [hostHash("a"), hostHash("b")];
  const answer = encodeAnswer(TAG, { host, seq: 7, lost: false, silent: [], out: [back] }, ASKER);
  expect(decodeAnswer(answer, TAG)).toEqual({
    host,
    seq: 7,
    lost: false,
    silent: [],
    dropped: [],
    out: [back],
  });
});

describe("an answer about very many hosts", () => {
  const silent = Array.from({ length: 500 }, (_, i) => hostHash(`h${i}`));

  function read(out: readonly string[], ltime: number, asker = "asker"): LiveAnswer {
    const answer = { host: hostHash("a"), seq: 0, lost: true, silent, out };
    const text = encodeAnswer(TAG, answer, { host: hostHash(asker), ltime });
    expect(text.length).toBeLessThan(1000);
    return decodeAnswer(text, TAG) as LiveAnswer;
  }

  test("names each of them in turn, whether many were dropped already or none", () => {
    for (const out of [[], silent.slice(200), silent]) {
      const named = new Set<string>();
      for (let ltime = 0; ltime < 100; ltime++) {
        const answer = read(out, ltime);
        expect(answer.silent).toHaveLength(MAX_TESTIMONY);
        for (const hash of answer.silent) named.add(hash);
      }
      expect(named.size).toBe(500);
    }
  });

  test("names the same ones as all other answers to the question, whoever of them was dropped", () => {
    const names = (out: readonly string[]): string[] => [...read(out, 7).silent].sort();
    expect([names(silent), names(silent.slice(100))]).toEqual([names([]), names([])]);
  });

  test("tells the asker in any case that it is out", () => {
    const asker = hostHash("back");
    for (let ltime = 0; ltime < 20; ltime++) {
      expect(read([...silent, asker], ltime, "back").out).toContain(asker);
      expect(read(silent, ltime, "h3").dropped).toContain(hostHash("h3"));
    }
  });
});

test("what another cluster says, or what is damaged, says nothing", () => {
  const answer = encodeAnswer(TAG, {
    host: hostHash("a"),
    seq: 0,
    lost: false,
    silent: [hostHash("b")],
    out: [],
  }, ASKER);
  expect([decodeAnswer(answer, OTHER), decodeQuestion(encodeQuestion(TAG, hostHash("a")), OTHER)]).toEqual([
    undefined,
    undefined,
  ]);
  for (const text of ["", answer.slice(0, -1), answer + "!", answer + "x".repeat(5), answer.slice(0, 10)]) {
    expect([text, decodeAnswer(text, TAG)]).toEqual([text, undefined]);
  }
  fc.assert(fc.property(bytes, (tail) => {
    decodeAnswer(answer + tail, TAG);
    decodeQuestion(TAG + tail, TAG);
  }));
});
