package dev.qrumb;

import java.io.Serial;

/** The queue is at its limit; the event was not taken. */
public final class QueueFullException extends QrumbException {
  @Serial private static final long serialVersionUID = 1;

  QueueFullException() {
    super("the queue is full");
  }
}
