/**
 * Reads what a test runner reported in JUnit's XML. Bun, Deno and Node differ in how they nest suites and what totals
 * they give, but all write one `<testcase>` for each test, with its outcome as a child.
 *
 * @module
 */

/**
 * @typedef {object} Report
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 * @property {string[]} failures names of the failed tests
 * @property {Set<string>} files the files that had tests, as the runner names them
 */

const ATTRIBUTES = String.raw`(?:\s+[\w:.-]+\s*=\s*"[^"]*")*\s*`;
const TAG = new RegExp(`<(/?)([\\w:-]+)(${ATTRIBUTES})(/?)>`, "g");
const ENTITIES = /** @type {Record<string, string>} */ ({ lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" });

/**
 * Counts the tests of a report.
 *
 * @param {string} xml
 * @returns {Report}
 */
export function parseJunit(xml) {
  /** @type {Report} */
  const report = { passed: 0, failed: 0, skipped: 0, failures: [], files: new Set() };
  const text = xml.replace(/<!\[CDATA\[[\s\S]*?\]\]>|<!--[\s\S]*?-->/g, "");
  /** @type {{ name: string, outcome: "passed" | "failed" | "skipped" } | undefined} */
  let test;
  const finish = () => {
    if (!test) return;
    report[test.outcome]++;
    if (test.outcome === "failed") report.failures.push(test.name);
    test = undefined;
  };
  for (const [, closing, tag, attributes = "", empty] of text.matchAll(TAG)) {
    if (tag === "testcase") {
      finish();
      if (closing) continue;
      const file = attribute(attributes, "file") ?? attribute(attributes, "classname");
      if (file) report.files.add(file);
      test = { name: fullName(attributes), outcome: "passed" };
      if (empty) finish();
    } else if (test && !closing && (tag === "failure" || tag === "error")) {
      test.outcome = "failed";
    } else if (test && !closing && tag === "skipped" && test.outcome === "passed") {
      test.outcome = "skipped";
    }
  }
  finish();
  return report;
}

/** @param {string} attributes */
function fullName(attributes) {
  const group = attribute(attributes, "classname");
  const name = attribute(attributes, "name") ?? "(unnamed)";
  return group && group !== "test" ? `${group} > ${name}` : name;
}

/**
 * @param {string} attributes
 * @param {string} name
 */
function attribute(attributes, name) {
  const match = attributes.match(new RegExp(`(?:^|\\s)${name}\\s*=\\s*"([^"]*)"`));
  return match?.[1]?.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, entity) => {
    if (hex) return String.fromCodePoint(parseInt(hex, 16));
    if (decimal) return String.fromCodePoint(Number(decimal));
    return ENTITIES[entity] ?? whole;
  });
}
