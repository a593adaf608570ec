package dev.qrumb;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.qrumb.Cases.Case;
import io.grpc.Status;
import java.time.Duration;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class BackoffTest {
  static Stream<Named<Case>> statuses() {
    return Cases.load("statuses");
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource
  void statuses(Case found) {
    assumeTrue(found.has("grpc"), "of JSON over HTTP");
    Status.Code code = Status.Code.valueOf(found.text("grpc"));
    assertEquals(found.flag("retried"), Backoff.isRetried(code, found.flag("delay")));
  }

  static Stream<Named<Case>> backoff() {
    return Cases.load("backoff");
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource
  void backoff(Case found) {
    Settings settings = Cases.settings(Client.builder(), found.part("settings")).settings();
    Duration wait =
        Backoff.after(
            found.whole("attempt"), found.number("random"), found.seconds("stated"), settings);
    assertEquals(found.number("delay"), wait.toNanos() / 1e9, 1e-6);
  }
}
