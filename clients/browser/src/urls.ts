// URLs as they may be sent: http and https, without the scan parameter, within the contract's length. What is left of
// a URL stays byte for byte what it was.

const PARTS = /^([^?#]*)\??([^#]*)(.*)$/;
const LONGEST = 8192;

/** The URL without query and fragment. */
export function bare(url: string): string {
  return url.replace(/[?#].*$/, "");
}

/** The URL without a parameter of its query. */
export function without(url: string, parameter: string): string {
  const [, path, query, fragment] = PARTS.exec(url) || ["", url, "", ""];
  const others = query.split("&").filter((pair) => nameOf(pair) !== parameter);
  const kept = others.join("&");
  return path + (kept && "?" + kept) + fragment;
}

/** A parameter of the URL's query, or "". */
export function valueOf(url: string, parameter: string): string {
  const [, , query] = PARTS.exec(url) || ["", "", ""];
  return new URLSearchParams(query).get(parameter) || "";
}

/** The URL as it may be sent, "" if it is none of the web's. */
export function sendable(url: string, parameter: string): string {
  if (!/^(https?|android-app):\/\/./i.test(url)) return "";
  const clean = without(url, parameter);
  return clean.length > LONGEST ? bare(clean).slice(0, LONGEST) : clean;
}

function nameOf(pair: string): string {
  return Array.from(new URLSearchParams(pair).keys())[0] || "";
}
