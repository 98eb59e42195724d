/** Payees as they are written in user identities: the account that a worker belongs to, and the address that an identity may itself hold. */

/** The account of an identity: all before its first dot (`farm` of `farm.rig7`), which is the identity itself without one. */
export function accountOf(identity: string): string {
  const dot = identity.indexOf(".");
  return dot < 0 ? identity : identity.slice(0, dot);
}

/**
 * What would be the payout address in an identity, if it is one: the part before the first dot, or the one that SRI's pool takes from
 * `sri/solo/<address>/<worker>` and `sri/donate/<percentage>/<address>/<worker>`; a worker that shares name stands behind a dot. Empty for none.
 */
export function addressIn(identity: string): string {
  const [, , solo] = /^sri\/(solo)\/([^/.]+)(?:[/.].*)?$/.exec(identity) ?? [];
  if (solo !== undefined) return solo;
  const [, donor] = /^sri\/donate\/[^/]+\/([^/.]+)(?:[/.].*)?$/.exec(identity) ?? [];
  return donor ?? accountOf(identity);
}
