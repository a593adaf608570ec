package dev.qrumb;

import java.io.Serial;
import java.util.List;

/**
 * {@link Client#close()} ran out of time, or events had failed of which no hook was told. The
 * events that were left at the end may be sent again, their ids make that harmless.
 */
public final class UndeliveredException extends QrumbException {
  @Serial private static final long serialVersionUID = 1;

  private final transient List<Event> events;

  /** How many have no verdict. */
  private final long count;

  UndeliveredException(List<Event> events, long count, String url, Throwable cause) {
    super(
        Hooks.counted(count)
            + " not delivered to "
            + url
            + ": "
            + (cause == null ? "no answer yet" : cause.getMessage()));
    if (cause != null) {
      initCause(cause);
    }
    this.events = List.copyOf(events);
    this.count = count;
  }

  /**
   * How many have no verdict, those that had failed before included.
   *
   * @return their number
   */
  public long count() {
    return count;
  }

  /**
   * What is left.
   *
   * @return the events, in the order of sending
   */
  public List<Event> events() {
    return events == null ? List.of() : events; // a deserialised one has lost them
  }
}
