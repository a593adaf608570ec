package dev.qrumb;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.util.Locale;
import java.util.UUID;
import java.util.regex.Pattern;

/** The event's id: made once, on the client, and kept through every retry. */
public final class EventIds {
  private static final SecureRandom CHANCE = new SecureRandom();
  private static final Pattern UUID_FORM =
      Pattern.compile("[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}");
  private static final long VERSION_BITS = 0xF000L;
  private static final long VERSION_5 = 0x5000L;
  private static final long VERSION_7 = 0x7000L;
  private static final long VARIANT_BITS = 0xC000_0000_0000_0000L;
  private static final long VARIANT = 0x8000_0000_0000_0000L;

  // The same in every client; of its own, so that other UUIDv5 of the same texts are other ids.
  private static final UUID NAMESPACE = UUID.fromString("6f201f84-5276-5a2b-945b-49f1a94eb63e");

  private EventIds() {}

  /**
   * The UUIDv5 of an event that has a name elsewhere, such as the number of its order. The same
   * texts give the same id in every client and every process, so that a job that runs twice counts
   * once. The event's name belongs to it: an order's refund is another event than its purchase.
   *
   * @param eventName such as purchase
   * @param key such as the order's number
   * @return the id
   * @throws IllegalArgumentException one of the two is empty; all such events would be one
   */
  public static String eventIdFor(String eventName, String key) {
    if (eventName.isEmpty()) {
      throw new IllegalArgumentException("event_name is empty");
    }
    if (key.isEmpty()) {
      throw new IllegalArgumentException("key is empty");
    }
    MessageDigest sha1 = sha1();
    sha1.update(
        ByteBuffer.allocate(2 * Long.BYTES)
            .putLong(NAMESPACE.getMostSignificantBits())
            .putLong(NAMESPACE.getLeastSignificantBits())
            .flip());
    sha1.update((eventName + "\n" + key).getBytes(StandardCharsets.UTF_8));
    ByteBuffer digest = ByteBuffer.wrap(sha1.digest());
    long high = digest.getLong() & ~VERSION_BITS | VERSION_5;
    long low = digest.getLong() & ~VARIANT_BITS | VARIANT;
    return new UUID(high, low).toString();
  }

  private static MessageDigest sha1() {
    try {
      return MessageDigest.getInstance("SHA-1");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-1", e);
    }
  }

  /** A UUIDv7: milliseconds first, so that ids of one time lie together, then 74 random bits. */
  static String create() {
    long high = System.currentTimeMillis() << 16 | VERSION_7 | CHANCE.nextInt(1 << 12);
    long low = VARIANT | CHANCE.nextLong() >>> 2;
    return new UUID(high, low).toString();
  }

  /** The given id in lower case; an empty one is none. */
  static String check(String given) {
    if (!given.isEmpty() && !UUID_FORM.matcher(given).matches()) {
      throw new IllegalArgumentException("event_id is not a UUID");
    }
    return given.toLowerCase(Locale.ROOT);
  }
}
