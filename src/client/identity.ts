/** Our own certificate as a client, for servers that let in only those whom an authority of theirs knows. */

/** A certificate and its key, PEM. */
export interface ClientIdentity {
  /** The certificate first, those between it and its authority behind it. */
  readonly chain: string;
  /** Its private key, not encrypted. */
  readonly key: string;
}

/** Gives it, as it is now, for one connection. Rejects with `Fault("client-certificate-failed")`. */
export type ClientIdentitySource = () => Promise<ClientIdentity>;
