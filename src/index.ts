/** What the package offers to programs that embed it. */
export { runCli } from "./app/cli.ts";
export { configSchema } from "./app/config/schema.ts";
export { VERSION } from "./app/version.ts";
