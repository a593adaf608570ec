package dev.qrumb;

import java.security.SecureRandom;
import java.util.Locale;
import java.util.UUID;
import java.util.regex.Pattern;

/** The event's id: made once, on the client, and kept through every retry. */
final class EventIds {
  private static final SecureRandom CHANCE = new SecureRandom();
  private static final Pattern UUID_FORM =
      Pattern.compile("[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}");
  private static final long VERSION_7 = 0x7000L;
  private static final long VARIANT = 0x8000_0000_0000_0000L;

  private EventIds() {}

  /** A UUIDv7: milliseconds first, so that ids of one time lie together, then 74 random bits. */
  static String create() {
    long high = System.currentTimeMillis() << 16 | VERSION_7 | CHANCE.nextInt(1 << 12);
    long low = VARIANT | CHANCE.nextLong() >>> 2;
    return new UUID(high, low).toString();
  }

  /** The given id in lower case; an empty one is none. */
  static String check(String given) {
    if (!given.isEmpty() && !UUID_FORM.matcher(given).matches()) {
      throw new IllegalArgumentException("event_id is no UUID");
    }
    return given.toLowerCase(Locale.ROOT);
  }
}
