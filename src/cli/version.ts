/**
 * The version, as the packages carry it.
 *
 * @module
 */

/** toychat's version; a test holds it to that of the packages. */
export const VERSION = "0.1.0";
