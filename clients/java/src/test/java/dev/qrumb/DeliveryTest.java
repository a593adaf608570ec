package dev.qrumb;

import dev.qrumb.Cases.Case;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.api.parallel.ResourceAccessMode;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** QRUMB_FRONT is the line that `python -m tests.support.client_front` prints. */
@EnabledIfEnvironmentVariable(named = "QRUMB_FRONT", matches = "front: .+")
@Execution(ExecutionMode.CONCURRENT)
class DeliveryTest {
  private static final String FRONT = "front";

  static Stream<Named<Case>> delivery() {
    return Cases.load("delivery").filter(found -> !stopsServer(found.getPayload()));
  }

  static Stream<Named<Case>> deliveryAlone() {
    return Cases.load("delivery").filter(found -> stopsServer(found.getPayload()));
  }

  static Stream<Named<Case>> scans() {
    return Cases.load("scans").filter(found -> !stopsServer(found.getPayload()));
  }

  static Stream<Named<Case>> scansAlone() {
    return Cases.load("scans").filter(found -> stopsServer(found.getPayload()));
  }

  private static boolean stopsServer(Case found) {
    return found.parts("steps").stream().anyMatch(step -> step.has("server"));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource
  @ResourceLock(value = FRONT, mode = ResourceAccessMode.READ)
  void delivery(Case found) throws Exception {
    new DeliveryRun(found).run();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource
  @ResourceLock(FRONT)
  void deliveryAlone(Case found) throws Exception {
    new DeliveryRun(found).run();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource
  @ResourceLock(value = FRONT, mode = ResourceAccessMode.READ)
  void scans(Case found) throws Exception {
    new DeliveryRun(found).run();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource
  @ResourceLock(FRONT)
  void scansAlone(Case found) throws Exception {
    new DeliveryRun(found).run();
  }
}
