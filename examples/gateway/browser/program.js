// Runs the example, which says where it listens, and closes at the end of its input.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

export async function openShop(program) {
  const child = spawn(program, ["--port", "0"], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "exit");
  return { url: await address(child), close: () => close(child, ended) };
}

async function address(child) {
  const lines = createInterface({ input: child.stdout });
  for await (const line of lines) {
    const url = line.match(/http:\/\/\S+/)?.[0];
    if (url) {
      // What it prints later must not fill the pipe.
      child.stdout.resume();
      return url;
    }
  }
  throw new Error("the shop ended before it said where it listens");
}

async function close(child, ended) {
  child.stdin.end();
  const [code] = await ended;
  if (code !== 0) throw new Error(`the shop ended with ${code}`);
}
