import { describe, expect, test } from "bun:test";
import { parseJunit } from "./junit.mjs";

describe("a JUnit report", () => {
  test("of Bun counts nested suites once, and todo tests as skipped", () => {
    const report = parseJunit(`<?xml version="1.0" encoding="UTF-8"?>
      <testsuites name="bun test" tests="4" failures="1" skipped="1">
        <testsuite name="a.test.ts" file="a.test.ts" tests="4" failures="1" skipped="1">
          <testcase name="a &lt;b&gt; &quot;c&quot; &gt; d" classname="" file="a.test.ts" line="2" />
          <testsuite name="g" file="a.test.ts" tests="3">
            <testcase name="bad" classname="g" file="a.test.ts">
              <failure type="AssertionError" message="no">no</failure>
            </testcase>
            <testcase name="later" classname="g" file="a.test.ts"><skipped message="TODO" /></testcase>
          </testsuite>
        </testsuite>
      </testsuites>`);
    expect(report).toEqual({
      passed: 1,
      failed: 1,
      skipped: 1,
      failures: ["g > bad"],
      files: new Set(["a.test.ts"]),
    });
  });

  test("of Deno names its files by class", () => {
    const report = parseJunit(`<testsuites tests="2"><testsuite name="./c.deno.test.ts">
      <testcase name="ok" classname="./c.deno.test.ts" time="0.002">
      </testcase>
      <testcase name="gone" classname="./c.deno.test.ts"><skipped/></testcase></testsuite></testsuites>`);
    expect([report.passed, report.failed, report.skipped]).toEqual([1, 0, 1]);
    expect([...report.files]).toEqual(["./c.deno.test.ts"]);
  });

  test("of Node may carry bare > and tags in attributes and comments", () => {
    const report = parseJunit(`<testsuites><testsuite name="d">
      <testcase name="x -> y" classname="d" file="/r/d.test.ts"/>
      <testcase name="z" classname="d" file="/r/d.test.ts" failure="]]> <testcase name='q'>">
        <failure type="testCodeFailure" message="]]> &lt;testcase">text</failure>
      </testcase>
      <!-- <testcase name="never" /> --></testsuite></testsuites>`);
    expect([report.passed, report.failed]).toEqual([1, 1]);
    expect(report.failures).toEqual(["d > z"]);
  });

  test("leaves out what stands in CDATA", () => {
    const report = parseJunit(
      `<testsuite><testcase name="a"><failure><![CDATA[<testcase name="b"></testcase>]]></failure></testcase></testsuite>`,
    );
    expect([report.passed, report.failed]).toEqual([0, 1]);
  });

  test("without tests counts nothing", () => {
    expect(parseJunit("<testsuites></testsuites>")).toMatchObject({ passed: 0, failed: 0, skipped: 0 });
  });
});
