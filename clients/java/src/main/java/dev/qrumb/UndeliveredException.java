package dev.qrumb;

import java.io.Serial;
import java.util.List;

/**
 * {@link Client#close()} ran out of time. The events that are left have no answer; they may be sent
 * again, their ids make that harmless.
 */
public final class UndeliveredException extends QrumbException {
  @Serial private static final long serialVersionUID = 1;

  private final transient List<Event> events;

  UndeliveredException(List<Event> events) {
    super(events.size() + " events have no answer from the server");
    this.events = List.copyOf(events);
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
