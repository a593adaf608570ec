// Storage that may be blocked: every access can throw, the mere look at it too.

type Kind = "sessionStorage" | "localStorage";

export function read(kind: Kind, key: string): string {
  try {
    return window[kind].getItem(key) || "";
  } catch {
    return "";
  }
}

/** "" removes. */
export function write(kind: Kind, key: string, text: string): void {
  try {
    if (text) window[kind].setItem(key, text);
    else window[kind].removeItem(key);
  } catch {
    // Memory has it.
  }
}
