/**
 * Numbers and strings that go into fields. The error codes are SRI's constants (stratum-mining/stratum 2680220): the spec
 * lists none any more (section 3.5), and miners show them to people, so the exact strings matter.
 */

/** `SetupConnection.protocol` (spec 3.6.1). */
export const PROTOCOL = {
  mining: 0,
  jobDeclaration: 1,
  templateDistribution: 2,
} as const;

/** The one version of the protocol that exists: minimum and maximum in SetupConnection. */
export const PROTOCOL_VERSION = 2;

/** Bits of `SetupConnection.flags` in the mining protocol (spec 5.3.1). */
export const MINING_FLAGS = {
  /** The client understands standard jobs only, and its channels must not be grouped. */
  requiresStandardJobs: 1 << 0,
  /** The client will send SetCustomMiningJob. */
  requiresWorkSelection: 1 << 1,
  /** The server must not send jobs that forbid version rolling. */
  requiresVersionRolling: 1 << 2,
} as const;

/** Bits of `SetupConnection.Success.flags` in the mining protocol (spec 5.3.1). */
export const MINING_SUCCESS_FLAGS = {
  /** The server accepts no change to the version field. */
  requiresFixedVersion: 1 << 0,
  /** The server opens no standard channels. */
  requiresExtendedChannels: 1 << 1,
} as const;

/** Bits of `SetupConnection.flags` in job declaration (spec 6.4.1). */
export const DECLARATION_FLAGS = {
  /** The client will reveal its transactions: full-template mode. */
  declareTxData: 1 << 0,
} as const;

/** `SetupConnection.Error.error_code`. */
export const SETUP_CONNECTION_ERROR = {
  unsupportedFeatureFlags: "unsupported-feature-flags",
  unsupportedProtocol: "unsupported-protocol",
  protocolVersionMismatch: "protocol-version-mismatch",
  missingDeclareTxDataFlag: "missing-declare-tx-data-flag",
} as const;

/** `OpenMiningChannel.Error.error_code`. */
export const OPEN_MINING_CHANNEL_ERROR = {
  standardChannelsNotSupportedForCustomWork: "standard-channels-not-supported-for-custom-work",
  extendedChannelsNotSupportedForStandardJobs: "extended-channels-not-supported-for-standard-jobs",
  invalidUserIdentity: "invalid-user-identity",
  invalidNominalHashrate: "invalid-nominal-hashrate",
  minExtranonceSizeTooLarge: "min-extranonce-size-too-large",
  maxTargetOutOfRange: "max-target-out-of-range",
  unsupportedMinExtranonceSize: "unsupported-min-extranonce-size",
  unknownUser: "unknown-user",
} as const;

/** `UpdateChannel.Error.error_code`. */
export const UPDATE_CHANNEL_ERROR = {
  invalidNominalHashrate: "invalid-nominal-hashrate",
  invalidChannelId: "invalid-channel-id",
} as const;

/** `SubmitShares.Error.error_code`. */
export const SUBMIT_SHARES_ERROR = {
  invalidChannelId: "invalid-channel-id",
  invalidShare: "invalid-share",
  staleShare: "stale-share",
  invalidJobId: "invalid-job-id",
  difficultyTooLow: "difficulty-too-low",
  duplicateShare: "duplicate-share",
  badExtranonceSize: "bad-extranonce-size",
  versionRollingNotAllowed: "version-rolling-not-allowed",
  invalidNonRollableVersionBit: "invalid-non-rollable-version-bit",
} as const;

/** `SetCustomMiningJob.Error.error_code`. */
export const SET_CUSTOM_MINING_JOB_ERROR = {
  jdNotSupported: "jd-not-supported",
  invalidChannelId: "invalid-channel-id",
  invalidMiningJobToken: "invalid-mining-job-token",
  jobNotYetValidated: "job-not-yet-validated",
  staleChainTip: "stale-chain-tip",
  invalidMinNtime: "invalid-min-ntime",
  invalidNbits: "invalid-nbits",
  invalidVersion: "invalid-version",
  invalidCoinbaseTx: "invalid-coinbase-tx",
  invalidCoinbaseTxVersion: "invalid-coinbase-tx-version",
  invalidCoinbasePrefix: "invalid-coinbase-prefix",
  invalidCoinbaseTxInputNSequence: "invalid-coinbase-tx-input-n-sequence",
  invalidCoinbaseTxOutputs: "invalid-coinbase-tx-outputs",
  invalidCoinbaseTxLocktime: "invalid-coinbase-tx-locktime",
  invalidMerklePath: "invalid-merkle-path",
} as const;

/** `DeclareMiningJob.Error.error_code`. */
export const DECLARE_MINING_JOB_ERROR = {
  invalidMiningJobToken: "invalid-mining-job-token",
  missingTxs: "missing-txs",
  invalidCoinbaseTx: "invalid-coinbase-tx",
  invalidCoinbaseTxInput: "invalid-coinbase-tx-input",
  internalError: "internal-error",
  staleChainTip: "stale-chain-tip",
  invalidJob: "invalid-job",
} as const;

/** `RequestTransactionData.Error.error_code` (spec 7.6). */
export const REQUEST_TRANSACTION_DATA_ERROR = {
  staleTemplateId: "stale-template-id",
  templateIdNotFound: "template-id-not-found",
} as const;

type Codes<T> = T[keyof T];

/** Any code of `SETUP_CONNECTION_ERROR`. */
export type SetupConnectionErrorCode = Codes<typeof SETUP_CONNECTION_ERROR>;
/** Any code of `OPEN_MINING_CHANNEL_ERROR`. */
export type OpenMiningChannelErrorCode = Codes<typeof OPEN_MINING_CHANNEL_ERROR>;
/** Any code of `UPDATE_CHANNEL_ERROR`. */
export type UpdateChannelErrorCode = Codes<typeof UPDATE_CHANNEL_ERROR>;
/** Any code of `SUBMIT_SHARES_ERROR`. */
export type SubmitSharesErrorCode = Codes<typeof SUBMIT_SHARES_ERROR>;
/** Any code of `SET_CUSTOM_MINING_JOB_ERROR`. */
export type SetCustomMiningJobErrorCode = Codes<typeof SET_CUSTOM_MINING_JOB_ERROR>;
/** Any code of `DECLARE_MINING_JOB_ERROR`. */
export type DeclareMiningJobErrorCode = Codes<typeof DECLARE_MINING_JOB_ERROR>;
/** Any code of `REQUEST_TRANSACTION_DATA_ERROR`. */
export type RequestTransactionDataErrorCode = Codes<typeof REQUEST_TRANSACTION_DATA_ERROR>;
