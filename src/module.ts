#!/usr/bin/env node
/** The entry as a module of the bllvm node: what the launcher in the node's modules folder becomes. */
import { loadModule } from "./app/module/load.ts";

/** As in main.ts: a plugin may have left something open. */
const LEFTOVERS_MS = 1000;

const moduleProcess = await loadModule();
process.exitCode = await moduleProcess(process.argv.slice(2));
setTimeout(() => process.exit(), LEFTOVERS_MS).unref();
