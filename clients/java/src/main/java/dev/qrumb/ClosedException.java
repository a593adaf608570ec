package dev.qrumb;

import java.io.Serial;

/** The client is closed; the event was not taken. */
public final class ClosedException extends QrumbException {
  @Serial private static final long serialVersionUID = 1;

  ClosedException() {
    super("the client is closed");
  }
}
