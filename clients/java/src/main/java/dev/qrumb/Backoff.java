package dev.qrumb;

import io.grpc.Status;
import java.time.Duration;

/** Which failures are tried again, and when. */
final class Backoff {
  private Backoff() {}

  /** A full server says when to come back; a message that is too large does not. */
  static boolean isRetried(Status.Code code, boolean hasDelay) {
    return switch (code) {
      case UNAVAILABLE, DEADLINE_EXCEEDED, ABORTED, CANCELLED -> true;
      case RESOURCE_EXHAUSTED -> hasDelay;
      default -> false;
    };
  }

  /**
   * The wait after that many failures, with random in [0, 1). Never less than what the server asked
   * for, and a little more, so that its clients do not come back as one.
   */
  static Duration after(int failures, double random, Duration stated, Settings settings) {
    if (!stated.isZero()) {
      return stated.plus(nanos(stated.toNanos() * random / 4));
    }
    double grown = settings.firstBackoff().toNanos() * Math.pow(2, failures - 1);
    double ceiling = Math.min(settings.maxBackoff().toNanos(), grown);
    return nanos(ceiling * (1 + random) / 2);
  }

  private static Duration nanos(double nanos) {
    return Duration.ofNanos((long) nanos);
  }
}
