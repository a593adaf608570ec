// GS1 Digital Link paths, as the codes on packages have them: /01/{gtin}/22/{variant}/10/{lot}/21/{serial}. The GTIN names
// the code; what follows it are labels of the scan.

const PATH = /^\/?01\/([0-9]{8}|[0-9]{12,14})(?:\/22\/([^/]+))?(?:\/10\/([^/]+))?(?:\/21\/([^/]+))?\/?$/;
// GS1's set 82, 20 characters at most.
const VALUE = /^[!"%&'()*+,\-./0-9:;<=>?A-Z_a-z]{1,20}$/;
const GTIN_DIGITS = 14;

/** The GTIN in 14 digits and the labels variant, lot and serial; undefined: no such path, or a wrong check digit. */
export function readDigitalLink(path: string): { gtin: string; labels: Record<string, string> } | undefined {
  const found = PATH.exec(path);
  if (found === null) return undefined;
  const gtin = (found[1] ?? "").padStart(GTIN_DIGITS, "0");
  if (!hasCheckDigit(gtin)) return undefined;
  const labels: Record<string, string> = {};
  for (const [index, name] of ["variant", "lot", "serial"].entries()) {
    const value = found[index + 2];
    if (value === undefined) continue;
    const decoded = decode(value);
    if (!VALUE.test(decoded)) return undefined;
    labels[name] = decoded;
  }
  return { gtin, labels };
}

function decode(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return "";
  }
}

function hasCheckDigit(gtin: string): boolean {
  return [...gtin].reduce((sum, digit, place) => sum + Number(digit) * (place % 2 ? 1 : 3), 0) % 10 === 0;
}
