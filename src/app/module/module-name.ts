/** The module's name: in module.toml, in the node's modules folder, in handshakes. */

/** The seed's name. */
export const MODULE_NAME = "bllvm-stratum-v2";

/**
 * Names that a node takes without a warning. It also allows `_`, but takes what stands before the first one for the name of a connection's
 * module, so a name with one would be mistaken for another.
 */
export const MODULE_NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/;
