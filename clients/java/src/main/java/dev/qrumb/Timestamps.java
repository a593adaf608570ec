package dev.qrumb;

import com.google.protobuf.Timestamp;
import java.time.Instant;
import java.time.temporal.ChronoUnit;

/** Instants as the contract's Timestamp. */
final class Timestamps {
  private Timestamps() {}

  /** In milliseconds, which is what is stored. */
  static Timestamp of(Instant moment) {
    Instant cut = moment.truncatedTo(ChronoUnit.MILLIS);
    return Timestamp.newBuilder().setSeconds(cut.getEpochSecond()).setNanos(cut.getNano()).build();
  }
}
