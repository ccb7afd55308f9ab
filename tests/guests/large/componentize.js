// componentize.js SOURCE WIT WORLD OUTPUT: makes a component of that world from a module in JavaScript.

import { writeFileSync } from "node:fs";

import { componentize } from "@bytecodealliance/componentize-js";

const [sourcePath, witPath, worldName, output] = process.argv.slice(2);

// Random and clocks stay: handlers that cannot ask for them would be no fair guests.
const disableFeatures = worldName === "http" ? [] : ["http", "fetch-event"];
const { component } = await componentize({ sourcePath, witPath, worldName, disableFeatures });
writeFileSync(output, component);
