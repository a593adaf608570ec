package dev.qrumb;

import java.time.Duration;

/** Limits and times of a client; {@link ClientBuilder} says what each one is. */
record Settings(
    int maxBatchEvents,
    int maxBatchBytes,
    Duration maxBatchDelay,
    int maxQueueEvents,
    long maxQueueBytes,
    WhenFull whenFull,
    Duration callTimeout,
    Duration firstBackoff,
    Duration maxBackoff,
    boolean gzip) {
  // The contract's: a larger batch is refused as a whole.
  static final int MOST_BATCH_EVENTS = 1_000;
  static final int MOST_BATCH_BYTES = 4 << 20;
  // Long enough to be for ever, and short enough for nanoseconds in a long.
  static final Duration FOR_EVER = Duration.ofDays(36_500);

  Settings {
    check(
        maxBatchEvents >= 1 && maxBatchEvents <= MOST_BATCH_EVENTS,
        "maxBatchEvents is 1 to " + MOST_BATCH_EVENTS);
    check(
        maxBatchBytes >= 1 && maxBatchBytes <= MOST_BATCH_BYTES,
        "maxBatchBytes is 1 to " + MOST_BATCH_BYTES);
    check(!maxBatchDelay.isNegative(), "maxBatchDelay must not be negative");
    check(maxQueueEvents >= 1, "maxQueueEvents must be above 0");
    check(maxQueueBytes >= 1, "maxQueueBytes must be above 0");
    check(isPositive(callTimeout), "callTimeout must be above 0");
    check(isPositive(firstBackoff), "firstBackoff must be above 0");
    check(maxBackoff.compareTo(firstBackoff) >= 0, "maxBackoff must not be below firstBackoff");
    maxBatchDelay = bounded(maxBatchDelay);
    callTimeout = bounded(callTimeout);
    firstBackoff = bounded(firstBackoff);
    maxBackoff = bounded(maxBackoff);
  }

  /** A duration whose nanoseconds can be counted. */
  static Duration bounded(Duration given) {
    return given.compareTo(FOR_EVER) < 0 ? given : FOR_EVER;
  }

  private static boolean isPositive(Duration duration) {
    return !duration.isNegative() && !duration.isZero();
  }

  private static void check(boolean holds, String rule) {
    if (!holds) {
      throw new IllegalArgumentException(rule);
    }
  }
}
