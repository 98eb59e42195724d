/**
 * The foreign programs that ours are tried against, pinned: where each comes from, how it is built, what that needs and how
 * long it may take. Times are those of two cores of an AMD EPYC under some load, from nothing.
 */

/** A command of the build, run with `env` added to the environment. */
export interface BuildStep {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Folders that a build works with, absolute. */
export interface BuildFolders {
  /** Where the program is to end up, in `bin`. */
  readonly root: string;
  /** What builds share; may be removed when all are done. */
  readonly scratch: string;
}

/** One program at one version. */
export interface ForeignProgram {
  /** Name of the binary. */
  readonly name: string;
  readonly version: string;
  /** What it is, for people. */
  readonly what: string;
  /** The toolchain that builds it, with the oldest version that can. */
  readonly toolchain: Toolchain;
  /** Other programs that the build calls. */
  readonly tools: readonly Tool[];
  /** How long the build usually takes from nothing, s. */
  readonly usualS: number;
  /** It is given up after this time, s. */
  readonly limitS: number;
  readonly build: (folders: BuildFolders) => BuildStep;
}

/** A compiler with its package registry. */
export interface Toolchain {
  readonly command: string;
  readonly versionArgs: readonly string[];
  /** Oldest version, `major.minor`. */
  readonly oldest: string;
  /** How to get it. */
  readonly advice: string;
}

/** A program that a build calls besides its compiler. */
export interface Tool {
  readonly command: string;
  /** Debian packages that bring it; installed by apt-get where we are root. */
  readonly packages: readonly string[];
}

/** Rust's. SRI's applications are of edition 2024 and say rust-version 1.88. */
export const CARGO: Toolchain = {
  command: "cargo",
  versionArgs: ["--version"],
  oldest: "1.88",
  advice: "install Rust from https://rustup.rs",
};

/** Go's. An older one than a module wants fetches the newer one by itself. */
export const GO: Toolchain = {
  command: "go",
  versionArgs: ["version"],
  oldest: "1.21",
  advice: "install Go from https://go.dev/dl/",
};

const CAPNP: Tool = { command: "capnp", packages: ["capnproto", "libcapnp-dev"] };

/** Half the time of a plain build, and a quarter of its size: nobody will step through it. */
export const CARGO_ENVIRONMENT = {
  CARGO_PROFILE_DEV_DEBUG: "0",
  CARGO_PROFILE_DEV_INCREMENTAL: "false",
  CARGO_TERM_COLOR: "never",
  CARGO_TERM_PROGRESS_WHEN: "never",
} as const;

/** The hash function with optimisation: ten times the hash rate at no cost in time. */
const FAST_HASH = ["sha2", "generic-array", "cpufeatures"].flatMap((name) => [
  "--config",
  `profile.dev.package.${name}.opt-level=3`,
]);

function crate(name: string, version: string, ...more: readonly string[]): ForeignProgram["build"] {
  return ({ root, scratch }) => ({
    command: "cargo",
    args: ["install", "--root", root, "--locked", "--debug", "--version", `=${version}`, name, ...more],
    env: { ...CARGO_ENVIRONMENT, CARGO_TARGET_DIR: scratch },
  });
}

/** A CPU miner for standard channels, of SRI's integration tests. */
export const MINING_DEVICE: ForeignProgram = {
  name: "mining_device",
  version: "0.6.0",
  what: "SRI's SV2 CPU miner, crate integration_tests_sv2",
  toolchain: CARGO,
  tools: [CAPNP],
  usualS: 280,
  limitS: 540,
  build: crate("integration_tests_sv2", "0.6.0", "--bin", "mining_device", ...FAST_HASH),
};

/** SRI's proxy between SV1 miners and an SV2 server; without its monitoring, which is half of its dependencies. */
export const TRANSLATOR: ForeignProgram = {
  name: "translator_sv2",
  version: "0.6.0",
  what: "SRI's SV1 to SV2 translator, crate translator_sv2",
  toolchain: CARGO,
  tools: [],
  usualS: 65,
  limitS: 240,
  build: crate("translator_sv2", "0.6.0", "--no-default-features"),
};

/** SRI's mining server, fed by a template provider; without its monitoring. Its library for Bitcoin Core's IPC is linked in all the same. */
export const POOL_SV2: ForeignProgram = {
  name: "pool_sv2",
  version: "0.7.0",
  what: "SRI's mining server, crate pool_sv2",
  toolchain: CARGO,
  tools: [CAPNP],
  usualS: 50,
  limitS: 240,
  build: crate("pool_sv2", "0.7.0", "--no-default-features"),
};

/** SRI's declaring client, between miners and a pool with job declaration; without its monitoring. */
export const JD_CLIENT: ForeignProgram = {
  name: "jd_client_sv2",
  version: "0.6.0",
  what: "SRI's job declarator client, crate jd_client_sv2",
  toolchain: CARGO,
  tools: [CAPNP],
  usualS: 65,
  limitS: 240,
  build: crate("jd_client_sv2", "0.6.0", "--no-default-features"),
};

/** A Bitcoin node in Go that shares no code with Bitcoin Core. */
export const BTCD: ForeignProgram = {
  name: "btcd",
  version: "0.26.2",
  what: "a Bitcoin node, module github.com/btcsuite/btcd",
  toolchain: GO,
  tools: [],
  usualS: 60,
  limitS: 240,
  build: ({ root }) => ({
    command: "go",
    args: ["install", "-v", "github.com/btcsuite/btcd@v0.26.2"],
    env: { GOBIN: `${root}/bin`, GOFLAGS: "" },
  }),
};

/** All of them. */
export const PROGRAMS: readonly ForeignProgram[] = [MINING_DEVICE, TRANSLATOR, POOL_SV2, JD_CLIENT, BTCD];
