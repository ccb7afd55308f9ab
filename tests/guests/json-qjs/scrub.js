// Replaces the paths of the machine that built the engine, which stand in its panic messages, by
// paths of the same length: no offset in the file moves.

import { readFileSync, writeFileSync } from "node:fs";

const FOREIGN = /\/(?:home|Users)\/[\w.-]+\/\.cargo\/(?:registry\/src\/[\w.-]+|git\/checkouts)\//g;

const [file] = process.argv.slice(2);
const scrubbed = readFileSync(file, "latin1").replace(FOREIGN, (path) => "/crates".padEnd(path.length, "/"));
writeFileSync(file, scrubbed, "latin1");
