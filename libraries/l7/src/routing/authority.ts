/** Hosts that configuration puts into requests and locations. */

/** A host with or without port (RFC 3986 §3.2), octets of UTF-8 among it: nothing that would end it early, and no user. */
export function isAuthorityText(authority: string): boolean {
  return /^[A-Za-z0-9._~%!$&'()*+,;=:[\]\u0080-\u00ff-]+$/.test(authority);
}
