/** Faults of what plugins are built with: daemons and the AuxPoW driver. */
import { faults } from "./row.ts";

/** Rows of `src/sdk`. All of them can pass, so a chain that meets one asks again. */
export const SDK_FAULTS = faults({
  "aux-payout-refused": {
    act: "retry",
    what: "the daemon does not take payout for an address of its chain",
    help: "Set payout in the chain's table to an address of this very chain and network; the daemon's validateaddress tells.",
  },
  "aux-wallet": {
    act: "retry",
    what: "the daemon's wallet cannot take part",
    help: 'getauxblock pays to the daemon\'s own wallet: load one, unlock it, and refill its keys (keypoolrefill); or use method = "createauxblock" where the daemon has it.',
  },
  "aux-no-work": {
    act: "retry",
    what: "the daemon has no work to merge-mine for now",
    help: "Some chains are not merge-mined at every height. If it lasts, the daemon's words beside it say what it lacks.",
  },
  "aux-network-differs": {
    act: "retry",
    what: "the daemon is on another network than network in the chain's table says",
    help: "Point the url at a daemon of the right network, or correct network.",
  },
  "aux-chain-id-differs": {
    act: "retry",
    what: "the daemon's blocks carry another chain ID than is configured",
    help: "The url may point at a daemon of another coin or network; if the coin is right, set chain_id in the chain's table to the daemon's.",
  },
  "aux-target-contradicts": {
    act: "retry",
    what: "the target that the daemon names is not that of its bits",
    help: "Work with a doubtful target is not used. Check that the url points at the right daemon; set target in the chain's table if the daemon spells it otherwise.",
  },
  "aux-extra-output": {
    act: "retry",
    what: "the daemon does not say which output the parent's coinbase must have, or names one that it cannot have",
    help: "The chain refuses blocks without it, so there is no use in mining for it. Update the daemon, and check that its chain has passed the height at which this begins.",
  },
});
