package dev.qrumb;

import java.io.Serial;

/** What a client throws. A rejected event is not an exception: it is a receipt. */
public abstract sealed class QrumbException extends RuntimeException
    permits QueueFullException, ClosedException, DeliveryException, UndeliveredException {
  @Serial private static final long serialVersionUID = 1;

  QrumbException(String message) {
    super(message);
  }
}
