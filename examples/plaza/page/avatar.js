/**
 * What people and birds look like, drawn around the point where they stand.
 *
 * @module
 */
import { svg } from "./dom.js";

const COATS = [
  "#c2452d",
  "#2f7f7a",
  "#d08b22",
  "#74489b",
  "#4a7a3f",
  "#2e5f93",
  "#b8496f",
  "#6b5440",
  "#3f4c63",
  "#a33b3b",
];
const SKINS = [
  "#f6d3b3",
  "#e8b98f",
  "#c98d61",
  "#a86f47",
  "#7b4b2e",
  "#fbe0c6",
  "#d9a273",
  "#8f5c3a",
  "#efc6a0",
  "#613a24",
];
const HAIRS = [
  "#3a2a20",
  "#6b4226",
  "#b8792f",
  "#d9b25a",
  "#8c8c8c",
  "#a8452e",
  "#241d1b",
  "#e6dccb",
  "#533549",
  "#7c3b26",
];

/** Colour of a coat. @param {readonly number[]} look @returns {string} */
export function coatOf(look) {
  return COATS[look[0] ?? 0] ?? "#c2452d";
}

/** Clothes by chance. @returns {number[]} */
export function anyLook() {
  return [10, 10, 10, 10].map((most) => Math.floor(Math.random() * most));
}

/**
 * A hair style, which the third number of a look chooses together with the colour.
 *
 * @param {number} n
 */
function hairPaths(n) {
  const fill = HAIRS[n] ?? "#3a2a20";
  const back = [
    "",
    "M-19-84q-4 26 2 34h34q6-8 2-34z",
    "",
    "M-20-82q-6 34-2 44q10 6 14-4h16q4 10 14 4q4-10-2-44z",
    "",
  ][n % 5];
  const top = [
    "M-18-78q-4-26 18-27q23 0 19 27q-6-12-14-13q-12 4-23 13z",
    "M-18-76q-4-28 18-28q22 0 18 28q-4-12-10-14q-14 8-26 14z",
    "M-18-80q-2-24 18-25q20 1 18 25q-2-6-6-9q-14 2-24 0q-4 3-6 9z",
    "M-18-74q-6-30 18-31q24 1 18 31q-6-14-18-15q-12 1-18 15z",
    "M-17-82q0-10 6-14q-2-8 8-10q8-6 14 0q10 0 8 10q6 6 4 14q-6-8-14-9q-14-2-26 9z",
  ][n % 5];
  return [
    ...(back ? [svg("path", { d: back, fill })] : []),
    svg("path", { d: top ?? "", fill, class: "hair-top" }),
  ];
}

/** @param {number} n */
function hat(n) {
  switch (n) {
    case 1:
      return [
        svg("path", {
          fill: "#e8c77a",
          d: "M-28-90q28-12 56 0q-8 6-28 6t-28-6zM-15-92q0-18 15-18t15 18q-15 5-30 0z",
        }),
        svg("path", { fill: "#b8496f", d: "M-15-94q15 5 30 0v5q-15 5-30 0z" }),
      ];
    case 3:
      return [
        svg("path", {
          fill: "#3f4c63",
          d: "M-19-88q0-20 19-20t19 20q-19-6-38 0zM12-92q16-2 20 6q-10 4-20-1z",
        }),
      ];
    case 5:
      return [
        svg("path", { fill: "#b5474f", d: "M-18-86q0-24 18-24t18 24q-18-7-36 0z" }),
        svg("circle", { cx: 0, cy: -112, r: 5, fill: "#fbeed6" }),
        svg("path", { fill: "#fbeed6", d: "M-19-90q19-8 38 0v6q-19-8-38 0z" }),
      ];
    case 7:
      return [svg("path", { fill: "#4a7a3f", d: "M-20-92q-2-16 22-16q22 2 16 14q-18-6-38 2z" })];
    default:
      return [];
  }
}

/**
 * A person: `.figure` is turned and bobs, and its legs swing.
 *
 * @param {readonly number[]} look
 * @returns {SVGGElement}
 */
export function drawPerson(look) {
  const [coatAt = 0, skinAt = 0, hairAt = 0, hatAt = 0] = look;
  const coat = COATS[coatAt] ?? "#c2452d";
  const skin = SKINS[skinAt] ?? "#f6d3b3";
  const trousers = coatAt % 2 ? "#5d4a3c" : "#3f4c63";
  const [first, ...rest] = hairPaths(hairAt);
  const long = rest.length > 0;
  const leg = (/** @type {string} */ side, /** @type {number} */ x) =>
    svg(
      "g",
      { class: `leg ${side}` },
      svg("path", { fill: trousers, d: `M${x - 6}-26h12v22h-12z` }),
      svg("path", { fill: "#3a2a20", d: `M${x - 7}-6h12q6 1 6 6h-18z` }),
    );
  const arm = (/** @type {string} */ side, /** @type {number} */ x) =>
    svg(
      "g",
      { class: `arm ${side}` },
      svg("path", { stroke: coat, "stroke-width": 9, "stroke-linecap": "round", d: `M${x}-54v20` }),
      svg("circle", { cx: x, cy: -31, r: 5, fill: skin }),
    );
  return svg(
    "g",
    { class: "figure" },
    ...(long && first ? [first] : []),
    arm("far", 15),
    leg("far", 6),
    leg("near", -6),
    svg("path", { fill: coat, d: "M-18-26q-3-30 6-36h24q9 6 6 36q-18 7-36 0z" }),
    svg("path", { fill: "#ffffff2e", d: "M-16-28q-2-26 4-32h7q-4 16-3 35z" }),
    svg("path", { fill: "#fbeed6", d: "M-7-62h14l-7 9z" }),
    svg("circle", { cx: 0, cy: -79, r: 18, fill: skin }),
    svg(
      "g",
      { class: "face" },
      svg("circle", { cx: -5, cy: -78, r: 2.3, fill: "#33261d" }),
      svg("circle", { cx: 8, cy: -78, r: 2.3, fill: "#33261d" }),
      svg("path", {
        d: "M-2-71q4 4 8 0",
        fill: "none",
        stroke: "#33261d",
        "stroke-width": 1.8,
        "stroke-linecap": "round",
      }),
      svg("circle", { cx: -9, cy: -72, r: 3.4, fill: "#e4705a", opacity: 0.35 }),
      svg("circle", { cx: 12, cy: -72, r: 3.4, fill: "#e4705a", opacity: 0.35 }),
    ),
    ...(long ? rest : first ? [first] : []),
    ...hat(hatAt),
    arm("near", -15),
  );
}

/** A pigeon: somebody who is here by another client than this page. @returns {SVGGElement} */
export function drawBird() {
  return svg(
    "g",
    { class: "figure bird" },
    svg("path", {
      d: "M-4-6v6M5-6v6M-7 0h6M2 0h6",
      stroke: "#c8503a",
      "stroke-width": 2.4,
      "stroke-linecap": "round",
    }),
    svg("path", {
      fill: "#77808f",
      d: "M-26-14q4-10 14-10q8-12 20-12q-2-12 8-13q9 0 9 9q-1 6-3 8q4 18-10 24q-14 6-26-2z",
    }),
    svg("path", { class: "wing", fill: "#5d6675", d: "M-24-13q8-14 26-14q4 12-8 16q-8 4-18-2z" }),
    svg("path", { fill: "#4f7f6d", d: "M8-36q6 8 15 4q-2 4-5 5q-8 2-12-4z" }),
    svg("circle", { cx: 17, cy: -42, r: 1.9, fill: "#fff3cf" }),
    svg("path", { fill: "#e6b34a", d: "M24-42l8 3-8 2z" }),
    svg("path", { fill: "#fffaf0", stroke: "#b89f74", "stroke-width": 1, d: "M26-36h12v9H26z" }),
  );
}
