/** What the author of a chain plugin tests it with: `bllvm-stratum-v2/kit`. */
export { PLUGIN_API } from "./merge/plugin.ts";
