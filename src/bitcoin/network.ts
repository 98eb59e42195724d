/** What differs between Bitcoin's networks, from Bitcoin Core's chainparams. */
import { fromDisplayHex } from "../kernel/bytes.ts";

/** The networks by the names that our config uses. */
export type NetworkName = "mainnet" | "testnet" | "testnet4" | "signet" | "regtest";

/** One network. */
export interface Network {
  readonly name: NetworkName;
  /** Name in Core's `getblockchaininfo` and `-chain=`. */
  readonly coreName: "main" | "test" | "testnet4" | "signet" | "regtest";
  /** Human-readable part of bech32 addresses (BIP173). */
  readonly hrp: string;
  /** Version byte of base58 pay-to-public-key-hash addresses. */
  readonly p2pkhVersion: number;
  /** Version byte of base58 pay-to-script-hash addresses. */
  readonly p2shVersion: number;
  /** The easiest target a block may have. */
  readonly powLimit: bigint;
  /** Blocks between halvings of the subsidy. */
  readonly halvingInterval: number;
  /** Where Core listens for JSON-RPC unless told otherwise. */
  readonly rpcPort: number;
  /** Hash of block 0, `Uint8Array(32)`, internal byte order. */
  readonly genesisHash: Uint8Array;
}

const TEST_ADDRESSES = { hrp: "tb", p2pkhVersion: 111, p2shVersion: 196 } as const;
const POW_LIMIT_32 = 2n ** 224n - 1n;

/** All networks by name. */
export const NETWORKS: Readonly<Record<NetworkName, Network>> = Object.freeze({
  mainnet: {
    name: "mainnet",
    coreName: "main",
    hrp: "bc",
    p2pkhVersion: 0,
    p2shVersion: 5,
    powLimit: POW_LIMIT_32,
    halvingInterval: 210_000,
    rpcPort: 8332,
    genesisHash: fromDisplayHex("000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"),
  },
  testnet: {
    name: "testnet",
    coreName: "test",
    ...TEST_ADDRESSES,
    powLimit: POW_LIMIT_32,
    halvingInterval: 210_000,
    rpcPort: 18332,
    genesisHash: fromDisplayHex("000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943"),
  },
  testnet4: {
    name: "testnet4",
    coreName: "testnet4",
    ...TEST_ADDRESSES,
    powLimit: POW_LIMIT_32,
    halvingInterval: 210_000,
    rpcPort: 48332,
    genesisHash: fromDisplayHex("00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043"),
  },
  signet: {
    name: "signet",
    coreName: "signet",
    ...TEST_ADDRESSES,
    powLimit: 0x377aen << 216n,
    halvingInterval: 210_000,
    rpcPort: 38332,
    genesisHash: fromDisplayHex("00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6"),
  },
  regtest: {
    name: "regtest",
    coreName: "regtest",
    ...TEST_ADDRESSES,
    hrp: "bcrt",
    powLimit: 2n ** 255n - 1n,
    halvingInterval: 150,
    rpcPort: 18443,
    genesisHash: fromDisplayHex("0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"),
  },
});

/** The network that Core calls `coreName`, or `undefined`. */
export function networkOfCoreName(coreName: string): Network | undefined {
  return Object.values(NETWORKS).find((network) => network.coreName === coreName);
}
