/** A module's folder whose entry is a shell script: what a node starts while the module itself runs elsewhere. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Our module's name. */
export const MODULE_NAME = "bllvm-stratum-v2";

/** What our module asks for. */
export const CAPABILITIES: readonly string[] = [
  ...["read_blockchain", "read_chain_state", "subscribe_events", "publish_events"],
  ...["queue_inbound_block", "read_network", "register_module_api", "call_module"],
];

/** Puts it into `modules`; `script` is what bash runs. */
export function installStub(modules: string, script: string): void {
  const folder = join(modules, MODULE_NAME);
  mkdirSync(folder);
  const capabilities = CAPABILITIES.map((name) => `"${name}"`).join(", ");
  const manifest = [`name = "${MODULE_NAME}"`, 'version = "0.1.0"', 'entry_point = "entry"'];
  writeFileSync(join(folder, "module.toml"), [...manifest, `capabilities = [${capabilities}]`, ""].join("\n"));
  writeFileSync(join(folder, "entry"), `#!/bin/bash\n${script}\n`, { mode: 0o755 });
}
