/**
 * The published crate `blvm-node` that our module is tried against: two versions of it, each built into the two programs of
 * `test/interop/blvm-node`. The programs' sources are one, the manifests two.
 */
import { join } from "node:path";
import { ROOT } from "../../support/sources.ts";
import { ownCrate } from "./install.ts";

/** One version of the node, built. */
export interface BlvmCrate {
  readonly version: string;
  /** Schema of its wire, for our codec. */
  readonly schema: "s3" | "s5";
  /** Its module system on a chain in memory; `undefined` where it could not be built. */
  readonly harness: string | undefined;
  /** The whole node, from configuration file to RPC. */
  readonly node: string | undefined;
}

const FOLDER = join(ROOT, "test/interop/blvm-node");
/** S: the node's library alone takes a minute and a half. */
const LIMIT_S = 480;

/** The version whose frames the golden vectors are. */
export const blvm = (): Promise<BlvmCrate> => build("0.1.54", "s3", FOLDER, "");

/** The newest published one. */
export const newestBlvm = (): Promise<BlvmCrate> => build("0.1.83", "s5", join(FOLDER, "newest"), "-newest");

async function build(version: string, schema: BlvmCrate["schema"], folder: string, suffix: string): Promise<BlvmCrate> {
  const harness = await ownCrate(`blvm-node-harness${suffix}`, folder, LIMIT_S);
  const node = harness?.replace(/blvm-node-harness(-newest)?$/, `blvm-regtest-node${suffix}`);
  return { version, schema, harness, node };
}
