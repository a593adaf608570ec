// What an address of the service may be, and what the environment says of it: the same in every client. No error quotes what
// it refuses: an address may have a key in it, and errors are logged.

import { ArgumentError } from "./errors.js";

const DEFAULT_ADDRESS = "grpc://127.0.0.1:9090";
// Whether each scheme is TLS, and the port that it has where none is given; gRPC alone has no usual one.
const SCHEMES: Readonly<Record<string, { isSecure: boolean; usualPort?: number }>> = {
  grpc: { isSecure: false },
  grpcs: { isSecure: true, usualPort: 443 },
  http: { isSecure: false, usualPort: 80 },
  https: { isSecure: true, usualPort: 443 },
};
const MAX_PORT = 65_535;
const VISIBLE = /^[!-~]*$/;
const HOST = /^([A-Za-z0-9._-]+|\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\])$/;

/** Where calls go; `target` is host:port. */
export interface Address {
  readonly target: string;
  readonly isSecure: boolean;
}

/** Reads grpc://host:port, grpcs://, http://, https:// or host:port. The error names the argument or the variable. */
export function parseAddress(text: string, name = "address"): Address {
  const refuse = (why: string) => new ArgumentError(name, why);
  if (!text) throw refuse("is empty");
  if (!VISIBLE.test(text)) {
    throw refuse("has a character that no address has; a name in other letters is written with xn--");
  }
  const end = text.indexOf("://");
  const scheme = end < 0 ? "grpc" : text.slice(0, end).toLowerCase();
  if (!Object.hasOwn(SCHEMES, scheme)) throw refuse(`has a scheme that is none of ${Object.keys(SCHEMES).join(", ")}`);
  const { isSecure, usualPort } = SCHEMES[scheme]!;
  const [, authority = "", beyond] = /^([^/?#\\]*)(.*)$/.exec(end < 0 ? text : text.slice(end + 3)) ?? [];
  if (authority.includes("@")) throw refuse("has a user or a password in it; the key is a setting of its own");
  if (beyond && beyond !== "/") {
    throw refuse("has more than a scheme, a host and a port; calls have paths of their own");
  }
  const [, host = "", port] = /^(.*?)(?::([^:\]]*))?$/.exec(authority) ?? [];
  if (!host) throw refuse("has no host");
  if (!HOST.test(host)) throw refuse("has a host that is neither a name nor an IP address, IPv6 in brackets");
  const number = port === undefined ? usualPort : /^[0-9]{1,5}$/.test(port) ? Number(port) : 0;
  if (number === undefined) throw refuse("has no port; a node's own is 9090");
  if (number < 1 || number > MAX_PORT) throw refuse(`has a port that is not 1 to ${MAX_PORT}`);
  return { target: `${host}:${number}`, isSecure };
}

/** The key, if a header can carry it. The error does not quote it. */
export function checkedKey(key: string, name = "key"): string {
  if (!VISIBLE.test(key)) throw new ArgumentError(name, "has a character that no key has, such as a line feed");
  return key;
}

/** Address and key of QRUMB_URL and QRUMB_KEY; an empty variable is none. */
export function fromEnvironment(environment: NodeJS.ProcessEnv): { address: string; key: string } {
  const address = environment["QRUMB_URL"];
  if (address) parseAddress(address, "QRUMB_URL");
  return { address: address || DEFAULT_ADDRESS, key: checkedKey(environment["QRUMB_KEY"] ?? "", "QRUMB_KEY") };
}
