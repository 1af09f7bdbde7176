/**
 * Structured logging: an event's name and its fields, handed to a {@linkcode Logger}.
 *
 * @module
 */

/** How serious an event is, from least to most. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** The fields of an event. Values are data, never formats; text from outside goes in as it is, the logger escapes it. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Takes events; must not throw. */
export type Logger = (level: LogLevel, event: string, fields?: LogFields) => void;

/** A logger that drops everything; the default of every option called `log`. */
export const noLog: Logger = (): void => {};
