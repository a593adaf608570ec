package dev.qrumb;

import dev.qrumb.v1.BrowserEvent;
import dev.qrumb.v1.Device;
import java.time.Instant;
import java.util.Map;
import java.util.UUID;

/**
 * Builds something that a visitor did on a page. Site and event type are required; the server says
 * what is wrong with them. What can only be a mistake of the program is refused here, by an
 * IllegalArgumentException that names the field and never quotes it.
 */
public final class BrowserEventBuilder {
  private final BrowserEvent.Builder event = BrowserEvent.newBuilder();

  BrowserEventBuilder() {}

  /**
   * Sets the site.
   *
   * @param siteId its name
   * @return this
   */
  public BrowserEventBuilder siteId(String siteId) {
    event.setSiteId(siteId);
    return this;
  }

  /**
   * Sets what happened.
   *
   * @param eventType such as pageview, click or form_submit
   * @return this
   */
  public BrowserEventBuilder eventType(String eventType) {
    event.setEventType(eventType);
    return this;
  }

  /**
   * Sets the scan session that links the event to a QR code.
   *
   * @param scanSessionId its id
   * @return this
   */
  public BrowserEventBuilder scanSessionId(String scanSessionId) {
    event.setScanSessionId(scanSessionId);
    return this;
  }

  /**
   * Sets a UUID that names this event for ever. Else it is a new UUIDv7.
   *
   * @param eventId the UUID
   * @return this
   * @throws IllegalArgumentException it is not a UUID
   */
  public BrowserEventBuilder eventId(String eventId) {
    event.setEventId(EventIds.check(eventId));
    return this;
  }

  /**
   * Sets a UUID as {@link #eventId(String)} does.
   *
   * @param eventId the UUID
   * @return this
   */
  public BrowserEventBuilder eventId(UUID eventId) {
    return eventId(eventId.toString());
  }

  /**
   * Sets when it happened. Else it is now.
   *
   * @param eventTime the instant
   * @return this
   */
  public BrowserEventBuilder eventTime(Instant eventTime) {
    event.setEventTime(Timestamps.of(eventTime));
    return this;
  }

  /**
   * Sets the visitor's answer. Else it is the site's default.
   *
   * @param consent the answer
   * @return this
   */
  public BrowserEventBuilder consent(Consent consent) {
    event.setConsent(consent.state);
    return this;
  }

  /**
   * Sets the page.
   *
   * @param pageUrl an absolute URL
   * @return this
   */
  public BrowserEventBuilder pageUrl(String pageUrl) {
    event.setPageUrl(pageUrl);
    return this;
  }

  /**
   * Sets the page's title.
   *
   * @param pageTitle the title
   * @return this
   */
  public BrowserEventBuilder pageTitle(String pageTitle) {
    event.setPageTitle(pageTitle);
    return this;
  }

  /**
   * Sets the page before.
   *
   * @param referrer an absolute URL
   * @return this
   */
  public BrowserEventBuilder referrer(String referrer) {
    event.setReferrer(referrer);
    return this;
  }

  /**
   * Sets what the page knows of its browser.
   *
   * @param device the contract's message
   * @return this
   */
  public BrowserEventBuilder device(Device device) {
    event.setDevice(device);
    return this;
  }

  /**
   * Sets own fields, of JSON's types: texts, numbers, booleans, null, maps and collections.
   *
   * @param metadata the fields
   * @return this
   * @throws IllegalArgumentException a value is not JSON, or nested too deeply
   */
  public BrowserEventBuilder metadata(Map<String, ?> metadata) {
    if (metadata.isEmpty()) {
      event.clearMetadata();
    } else {
      event.setMetadata(Structs.of("metadata", metadata));
    }
    return this;
  }

  /**
   * Builds the event.
   *
   * @return it, with its id and its time
   */
  public Event build() {
    return Event.of(event.build());
  }
}
