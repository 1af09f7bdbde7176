/**
 * How somebody gets from one place to another, past the fountain.
 *
 * @module
 */
import { calm } from "./dom.js";
import { standable } from "./scene.js";

/** Units of the square in a second. */
const SPEED = 230;
/** Depth looks shorter than it is. */
const DEPTH = 1.4;
/** Where the fountain's front ends and its back begins. */
const MIDDLE = 694;

/**
 * Takes one person a little further.
 *
 * @param {{ x: number, y: number, target: { x: number, y: number }, figure: SVGGElement }} one
 * @param {number} seconds
 */
export function stride(one, seconds) {
  const dx = one.target.x - one.x;
  const dy = one.target.y - one.y;
  const distance = Math.hypot(dx, dy * DEPTH);
  const walking = distance > 1.5;
  one.figure.classList.toggle("walks", walking);
  if (!walking) return;
  if (Math.abs(dx) > 2) one.figure.classList.toggle("turned", dx < 0);
  const step = SPEED * seconds;
  const share = calm() ? 1 : Math.min(1, step / distance);
  let next = standable(one.x + dx * share, one.y + dy * share);
  // Straight at the basin the push outwards cancels the step: go round by the side.
  if (share < 1 && Math.hypot(next.x - one.x, next.y - one.y) < step * 0.25) {
    const side = one.y < MIDDLE ? -1 : 1;
    next = standable(one.x + step * (dx < 0 ? -1 : 1), one.y + step * 0.4 * side);
  }
  one.x = next.x;
  one.y = next.y;
}
