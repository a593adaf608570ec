package dev.qrumb;

import io.grpc.Status;
import java.io.Serial;
import java.util.List;

/** The server refused a call for good, or gave no answer in the time that the caller had. */
public final class DeliveryException extends QrumbException {
  @Serial private static final long serialVersionUID = 1;

  /** The status of the call. */
  private final Status.Code code;

  private final transient List<FieldViolation> violations;

  DeliveryException(Status.Code code, String message, List<FieldViolation> violations) {
    super(code + ": " + message);
    this.code = code;
    this.violations = List.copyOf(violations);
  }

  /**
   * The status of the call.
   *
   * @return gRPC's code
   */
  public Status.Code code() {
    return code;
  }

  /**
   * What the server found wrong with the request.
   *
   * @return the rules that it breaks; often none
   */
  public List<FieldViolation> violations() {
    return violations == null ? List.of() : violations; // a deserialised one has lost them
  }
}
