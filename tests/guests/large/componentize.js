// componentize.js SOURCE OUTPUT: makes a component of the world `function` from a module in JavaScript.

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { componentize } from "@bytecodealliance/componentize-js";

const [sourcePath, output] = process.argv.slice(2);
const witPath = fileURLToPath(new URL("../../../wit", import.meta.url));

// Random and clocks stay: handlers that cannot ask for them would be no fair guests.
const disableFeatures = ["http", "fetch-event"];
const { component } = await componentize({ sourcePath, witPath, worldName: "function", disableFeatures });
writeFileSync(output, component);
