/**
 * The areas of the plaza: each is one room, and what is said in it is said on the MQTT topic of that name.
 *
 * @module
 */

/** One part of the square. */
export interface AreaInfo {
  /** Short name, as the page's files use it. */
  readonly id: string;
  /** Name for people. */
  readonly title: string;
  /** The room, which is also the MQTT topic. */
  readonly room: string;
}

/** The areas, from left to right. */
export const AREAS: readonly AreaInfo[] = [
  { id: "cafe", title: "Café", room: "plaza/cafe" },
  { id: "fountain", title: "Fountain", room: "plaza/fountain" },
  { id: "stage", title: "Stage", room: "plaza/stage" },
  { id: "garden", title: "Garden", room: "plaza/garden" },
];

/** Size of the square, in its own units: what positions in messages mean. */
export const SQUARE = { width: 1600, height: 900 } as const;

/** Whether a room is an area; any other room is a plain chat room. */
export function isArea(room: string): boolean {
  return AREAS.some((area) => area.room === room);
}
