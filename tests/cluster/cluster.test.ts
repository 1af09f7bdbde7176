import { afterAll } from "bun:test";
import { lineups, uninstall } from "./lineups.ts";
import { everyRelayScenario, everyScenario } from "./scenarios/all.ts";

const all = lineups();
for (const lineup of all) everyScenario(lineup);
for (const lineup of all.slice(-1)) everyRelayScenario(lineup);
afterAll(uninstall);
