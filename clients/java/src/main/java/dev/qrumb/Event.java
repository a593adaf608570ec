package dev.qrumb;

import com.google.protobuf.Message;
import dev.qrumb.v1.BrowserEvent;
import dev.qrumb.v1.ScanSession;
import dev.qrumb.v1.ServerEvent;
import java.time.Instant;

/**
 * An event as it is sent. It has its id and its time from the beginning: the same Event again is
 * the same event for the server.
 */
public sealed interface Event permits Event.Server, Event.Browser, Event.Scan {
  /**
   * Describes a conversion: a purchase, a signup, a lead.
   *
   * @return a builder
   */
  static ServerEventBuilder server() {
    return new ServerEventBuilder();
  }

  /**
   * Describes something that a visitor did on a page.
   *
   * @return a builder
   */
  static BrowserEventBuilder browser() {
    return new BrowserEventBuilder();
  }

  /**
   * Takes a message of the contract; an id and a time are added where they are missing.
   *
   * @param message the message
   * @return the event
   */
  static Event of(ServerEvent message) {
    ServerEvent.Builder whole = message.toBuilder();
    if (message.getEventId().isEmpty()) {
      whole.setEventId(EventIds.create());
    }
    if (!message.hasEventTime()) {
      whole.setEventTime(Timestamps.of(Instant.now()));
    }
    return new Server(whole.build());
  }

  /**
   * Takes a message of the contract; an id and a time are added where they are missing.
   *
   * @param message the message
   * @return the event
   */
  static Event of(BrowserEvent message) {
    BrowserEvent.Builder whole = message.toBuilder();
    if (message.getEventId().isEmpty()) {
      whole.setEventId(EventIds.create());
    }
    if (!message.hasEventTime()) {
      whole.setEventTime(Timestamps.of(Instant.now()));
    }
    return new Browser(whole.build());
  }

  /**
   * Takes a scan of a QR code; an id and a time are added where they are missing.
   *
   * @param message the message
   * @return the event
   */
  static Event of(ScanSession message) {
    ScanSession.Builder whole = message.toBuilder();
    if (message.getScanSessionId().isEmpty()) {
      whole.setScanSessionId(EventIds.create());
    }
    if (!message.hasScanTime()) {
      whole.setScanTime(Timestamps.of(Instant.now()));
    }
    return new Scan(whole.build());
  }

  /**
   * The id that names the event for ever.
   *
   * @return a UUID; of a scan, its session's id
   */
  String id();

  /**
   * The contract's message.
   *
   * @return a ServerEvent, a BrowserEvent or a ScanSession
   */
  Message message();

  /** An event of a backend. Made by {@link Event#server()} or {@link Event#of(ServerEvent)}. */
  final class Server implements Event {
    private final ServerEvent message;

    private Server(ServerEvent message) {
      this.message = message;
    }

    @Override
    public String id() {
      return message.getEventId();
    }

    @Override
    public ServerEvent message() {
      return message;
    }
  }

  /** An event of a page. Made by {@link Event#browser()} or {@link Event#of(BrowserEvent)}. */
  final class Browser implements Event {
    private final BrowserEvent message;

    private Browser(BrowserEvent message) {
      this.message = message;
    }

    @Override
    public String id() {
      return message.getEventId();
    }

    @Override
    public BrowserEvent message() {
      return message;
    }
  }

  /** A scan of a QR code. Made by {@link Event#of(ScanSession)}. */
  final class Scan implements Event {
    private final ScanSession message;

    private Scan(ScanSession message) {
      this.message = message;
    }

    @Override
    public String id() {
      return message.getScanSessionId();
    }

    @Override
    public ScanSession message() {
      return message;
    }
  }
}
