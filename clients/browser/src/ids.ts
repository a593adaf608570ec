// UUIDs of version 7, also in pages without TLS, which have no crypto.randomUUID.

export function uuid7(now: number): string {
  const random = new Uint8Array(10);
  try {
    crypto.getRandomValues(random);
  } catch {
    random.forEach((_zero, index) => (random[index] = Math.random() * 256));
  }
  random[0] = (random[0] & 0x0f) | 0x70;
  random[2] = (random[2] & 0x3f) | 0x80;
  let text = now.toString(16).padStart(12, "0");
  random.forEach((byte) => (text += byte.toString(16).padStart(2, "0")));
  return text.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
