import { expect, test } from "bun:test";
import fc from "fast-check";
import { ipv4, isLoopbackIp, isWildcardIp, readIp } from "./ip.ts";

test("an address has one form, however it was written", () => {
  const forms: [written: string, text: string][] = [
    ["10.0.0.1", "10.0.0.1"],
    ["255.255.255.255", "255.255.255.255"],
    ["::1", "::1"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["::", "::"],
    ["FE80::0001", "fe80::1"],
    // From RFC 5952: the longest run of zeros is shortened, of two the first, and never a single group.
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
    ["::ffff:a00:1", "10.0.0.1"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  ];
  for (const [written, text] of forms) expect(readIp(written)?.text).toBe(text);
});

test("what is not an address is none", () => {
  const none = [
    "",
    "localhost",
    "10.0.0",
    "10.0.0.256",
    "010.0.0.1",
    "10.0.0.1.",
    "1:2:3",
    "1:2:3:4:5:6:7:8:9",
    ":1",
  ];
  const more = [
    "1::2::3",
    "::g",
    "12345::",
    "1:2:3:4:5:6:7::8",
    "fe80::1%eth0",
    "[::1]",
    "1.2.3.4::",
    "::1.2.3",
    ":::",
  ];
  for (const text of [...none, ...more]) expect([text, readIp(text)]).toEqual([text, undefined]);
});

test("every IPv4 address and every IPv6 address is read back from its form", () => {
  fc.assert(fc.property(fc.ipV4(), (text) => {
    const ip = readIp(text);
    expect(ip?.text).toBe(text);
    expect(ipv4(ip?.bits ?? 0).text).toBe(text);
  }));
  fc.assert(fc.property(fc.ipV6(), (text) => {
    const form = readIp(text)?.text as string;
    expect(readIp(form)?.text).toBe(form);
    // As the platform writes them, but for addresses that are IPv4, and for forms that Bun's URL does not take.
    const url = `http://[${text}]/`;
    if (form.includes(":") && URL.canParse(url)) expect(form).toBe(new URL(url).hostname.slice(1, -1));
  }));
});

test("loopback and wildcard addresses are known in both versions", () => {
  const facts = (text: string) => {
    const ip = readIp(text);
    return ip && [isLoopbackIp(ip), isWildcardIp(ip)];
  };
  expect(["127.0.0.1", "127.9.9.9", "::1"].map(facts)).toEqual(new Array(3).fill([true, false]));
  expect(["0.0.0.0", "::"].map(facts)).toEqual(new Array(2).fill([false, true]));
  expect(["128.0.0.1", "10.0.0.1", "::2"].map(facts)).toEqual(new Array(3).fill([false, false]));
});
