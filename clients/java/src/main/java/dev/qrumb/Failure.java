package dev.qrumb;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.RetryInfo;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.io.Serial;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/** A call without an answer: whether the same call may succeed later, and when at the earliest. */
final class Failure extends Exception {
  @Serial private static final long serialVersionUID = 1;
  private static final Metadata.Key<String> RETRY_AFTER =
      Metadata.Key.of("retry-after", Metadata.ASCII_STRING_MARSHALLER);

  private final DeliveryException error;
  private final boolean isRetried;
  private final Duration stated;

  private Failure(DeliveryException error, boolean isRetried, Duration stated) {
    super(error);
    this.error = error;
    this.isRetried = isRetried;
    this.stated = stated;
  }

  /** What a failed call says; its headers may have the delay that its trailers lack. */
  static Failure of(StatusRuntimeException thrown, Metadata headers) {
    List<Any> details = details(thrown);
    Optional<Duration> stated =
        unpack(details, RetryInfo.class).stream()
            .findFirst()
            .map(info -> duration(info.getRetryDelay()))
            .or(() -> retryAfter(thrown.getTrailers()))
            .or(() -> retryAfter(headers));
    List<FieldViolation> violations =
        unpack(details, BadRequest.class).stream()
            .flatMap(request -> request.getFieldViolationsList().stream())
            .map(
                found ->
                    new FieldViolation(found.getField(), found.getReason(), found.getDescription()))
            .toList();
    Status status = thrown.getStatus();
    Status.Code code = isNoAnswer(status) ? Status.Code.UNAVAILABLE : status.getCode();
    return new Failure(
        new DeliveryException(code, words(status), violations),
        Backoff.isRetried(code, stated.isPresent()),
        stated.orElse(Duration.ZERO));
  }

  /** An answer that is none. */
  static Failure forGood(String message) {
    return new Failure(
        new DeliveryException(Status.Code.INTERNAL, message, List.of()), false, Duration.ZERO);
  }

  /** The same, tried again. */
  Failure retried() {
    return new Failure(error, true, stated);
  }

  DeliveryException error() {
    return error;
  }

  boolean isRetried() {
    return isRetried;
  }

  /**
   * Whether the batch is sent again in halves: scans are registered all or none, so one that breaks
   * a rule is looked for until it is alone.
   */
  boolean isDivided(List<Event> batch) {
    return error.code() == Status.Code.INVALID_ARGUMENT
        && batch.size() > 1
        && batch.get(0) instanceof Event.Scan;
  }

  /** The delay that the answer asked for; zero where it did not. */
  Duration stated() {
    return stated;
  }

  /**
   * gRPC takes what does not speak HTTP/2, such as a proxy without its server, for a fault within.
   */
  private static boolean isNoAnswer(Status status) {
    return status.getCause() != null && "http2 exception".equals(status.getDescription());
  }

  /** The status' own, and what lies behind: of a refused connection gRPC says "io exception". */
  private static String words(Status status) {
    String own = Objects.requireNonNullElse(status.getDescription(), "");
    Throwable cause = status.getCause();
    while (cause != null && cause.getCause() != null) {
      cause = cause.getCause();
    }
    String behind = cause == null ? null : cause.getMessage();
    if (behind == null || own.contains(behind)) {
      return own;
    }
    return own.isEmpty() ? behind : own + ": " + behind;
  }

  private static List<Any> details(StatusRuntimeException thrown) {
    try {
      com.google.rpc.Status status = StatusProto.fromThrowable(thrown);
      return status == null ? List.of() : status.getDetailsList();
    } catch (IllegalArgumentException unreadable) { // of something between us and the server
      return List.of();
    }
  }

  private static <T extends Message> List<T> unpack(List<Any> details, Class<T> type) {
    List<T> found = new ArrayList<>();
    for (Any detail : details) {
      try {
        if (detail.is(type)) {
          found.add(detail.unpack(type));
        }
      } catch (InvalidProtocolBufferException unreadable) {
        continue; // the code still counts
      }
    }
    return found;
  }

  private static Duration duration(com.google.protobuf.Duration delay) {
    Duration found = Duration.ofSeconds(delay.getSeconds(), delay.getNanos());
    return found.isNegative() ? Duration.ZERO : Settings.bounded(found);
  }

  private static Optional<Duration> retryAfter(Metadata metadata) {
    String seconds = metadata == null ? null : metadata.get(RETRY_AFTER);
    return seconds != null && seconds.matches("[0-9]{1,9}")
        ? Optional.of(Duration.ofSeconds(Long.parseLong(seconds)))
        : Optional.empty();
  }
}
