/** Faults of template distribution, as a client: what a provider does to us costs that connection; work comes from the next. */
import { faults } from "./row.ts";

/** Rows thrown by `node/templates`. */
export const TEMPLATE_FAULTS = faults({
  "template-provider-timeout": {
    act: "retry",
    what: "the template provider gave no template in time",
    help: "Its node is still catching up with the chain, most likely, or the address is another server's. Look at the provider's log.",
  },
  "template-provider-silent": {
    act: "retry",
    what: "the template provider sent nothing for too long, though it was asked",
    help: "The provider or its node hangs, or something on the way forgot the connection. Look at its log and restart it.",
  },
  "template-provider-refused": {
    act: "retry",
    what: "the template provider refused the connection with SetupConnection.Error",
    help: "unsupported-protocol: the port is one for mining or job declaration. protocol-version-mismatch: it speaks another version than 2.",
  },
  "template-provider-violation": {
    act: "retry",
    what: "the template provider sent something that no block can be made of",
    help: "`flaw` says what. Mining it would be work for nothing, so the provider is left for now. Report it with the provider's version.",
  },
});
