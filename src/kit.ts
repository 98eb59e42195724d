/** What the author of a chain plugin tests it with: `bllvm-stratum-v2/kit`. */
export { type AuxPowRehearsalOptions, auxPowRehearsal } from "./kit/auxpow-rehearsal.ts";
export {
  checks,
  type KitCheck,
  type KitOptions,
  type KitReport,
  type KitResult,
  RULES,
  runChecks,
} from "./kit/checks.ts";
export { KitFailure } from "./kit/failure.ts";
export {
  HttpStage,
  type HttpStageOptions,
  type Misbehaviour,
  type StageAnswer,
  type StageRequest,
} from "./kit/http-stage.ts";
export type { Ability, Answer, Rehearsal, Serving, Stage } from "./kit/rehearsal.ts";
export {
  type RpcCall,
  type RpcMethod,
  RpcRefusal,
  RpcStage,
  type RpcStageOptions,
  type RpcTable,
} from "./kit/rpc-stage.ts";
export { PLUGIN_API } from "./merge/plugin.ts";
