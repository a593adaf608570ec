package dev.qrumb;

import dev.qrumb.v1.ConversionValue;
import dev.qrumb.v1.ServerEvent;
import dev.qrumb.v1.UserIdentifiers;
import java.math.BigDecimal;
import java.time.Instant;
import java.util.Map;
import java.util.UUID;
import java.util.function.UnaryOperator;

/**
 * Builds a conversion: a purchase, a signup, a lead. Site, event name and scan session are
 * required; the server says what is wrong with them. What can only be a mistake of the program is
 * refused here, by an IllegalArgumentException that names the field and never quotes it.
 */
public final class ServerEventBuilder {
  private final ServerEvent.Builder event = ServerEvent.newBuilder();
  private String email = "";
  private String phone = "";
  private String emailHash = "";
  private String phoneHash = "";
  private String externalId = "";
  private Double amount;
  private String currency = "";

  ServerEventBuilder() {}

  /**
   * Sets the site.
   *
   * @param siteId its name
   * @return this
   */
  public ServerEventBuilder siteId(String siteId) {
    event.setSiteId(siteId);
    return this;
  }

  /**
   * Sets what happened.
   *
   * @param eventName such as purchase, signup or lead
   * @return this
   */
  public ServerEventBuilder eventName(String eventName) {
    event.setEventName(eventName);
    return this;
  }

  /**
   * Sets the scan session that links the event to a QR code.
   *
   * @param scanSessionId its id
   * @return this
   */
  public ServerEventBuilder scanSessionId(String scanSessionId) {
    event.setScanSessionId(scanSessionId);
    return this;
  }

  /**
   * Sets a UUID that names this event for ever, such as one of {@link EventIds#eventIdFor}. Else it
   * is a new UUIDv7.
   *
   * @param eventId the UUID
   * @return this
   * @throws IllegalArgumentException it is not a UUID
   */
  public ServerEventBuilder eventId(String eventId) {
    event.setEventId(EventIds.check(eventId));
    return this;
  }

  /**
   * Sets a UUID as {@link #eventId(String)} does.
   *
   * @param eventId the UUID
   * @return this
   */
  public ServerEventBuilder eventId(UUID eventId) {
    return eventId(eventId.toString());
  }

  /**
   * Sets when it happened. Else it is now.
   *
   * @param eventTime the instant
   * @return this
   */
  public ServerEventBuilder eventTime(Instant eventTime) {
    event.setEventTime(Timestamps.of(eventTime));
    return this;
  }

  /**
   * Sets the visitor's answer. Else it is the site's default.
   *
   * @param consent the answer
   * @return this
   */
  public ServerEventBuilder consent(Consent consent) {
    event.setConsent(consent.state);
    return this;
  }

  /**
   * Sets the e-mail address, which is hashed here; it never leaves the process.
   *
   * @param email the raw address
   * @return this
   */
  public ServerEventBuilder email(String email) {
    this.email = email;
    return this;
  }

  /**
   * Sets the phone number, which is hashed here; it never leaves the process.
   *
   * @param phone the raw number, with its country code
   * @return this
   */
  public ServerEventBuilder phone(String phone) {
    this.phone = phone;
    return this;
  }

  /**
   * Sets the hash of an e-mail address that was hashed elsewhere.
   *
   * @param emailHash of {@link Hashing#emailHash}
   * @return this
   */
  public ServerEventBuilder emailHash(String emailHash) {
    this.emailHash = emailHash;
    return this;
  }

  /**
   * Sets the hash of a phone number that was hashed elsewhere.
   *
   * @param phoneHash of {@link Hashing#phoneHash}
   * @return this
   */
  public ServerEventBuilder phoneHash(String phoneHash) {
    this.phoneHash = phoneHash;
    return this;
  }

  /**
   * Sets the site's own id of the user.
   *
   * @param externalId the id
   * @return this
   */
  public ServerEventBuilder externalId(String externalId) {
    this.externalId = externalId;
    return this;
  }

  /**
   * Sets what it was worth; needs a currency.
   *
   * @param amount in units of the currency
   * @return this
   */
  public ServerEventBuilder amount(BigDecimal amount) {
    return amount(amount.doubleValue());
  }

  /**
   * Sets what it was worth; needs a currency.
   *
   * @param amount in units of the currency
   * @return this
   */
  public ServerEventBuilder amount(double amount) {
    this.amount = amount;
    return this;
  }

  /**
   * Sets the currency of the amount.
   *
   * @param currency an ISO 4217 code in upper case, such as EUR
   * @return this
   */
  public ServerEventBuilder currency(String currency) {
    this.currency = currency;
    return this;
  }

  /**
   * Sets own fields, of JSON's types: texts, numbers, booleans, null, maps and collections.
   *
   * @param properties the fields
   * @return this
   * @throws IllegalArgumentException a value is not JSON, or nested too deeply
   */
  public ServerEventBuilder properties(Map<String, ?> properties) {
    if (properties.isEmpty()) {
      event.clearProperties();
    } else {
      event.setProperties(Structs.of("properties", properties));
    }
    return this;
  }

  /**
   * Sets the visitor's address, which gives the place and is dropped.
   *
   * @param clientIp an IPv4 or IPv6 address
   * @return this
   */
  public ServerEventBuilder clientIp(String clientIp) {
    event.setClientIp(clientIp);
    return this;
  }

  /**
   * Sets the visitor's User-Agent, which gives the device and is dropped.
   *
   * @param userAgent the header's text
   * @return this
   */
  public ServerEventBuilder userAgent(String userAgent) {
    event.setUserAgent(userAgent);
    return this;
  }

  /**
   * Builds the event.
   *
   * @return it, with its id and its time
   * @throws IllegalArgumentException a mistake of the program
   */
  public Event build() {
    ServerEvent.Builder built = event.clone();
    UserIdentifiers identifiers =
        UserIdentifiers.newBuilder()
            .setEmailHash(identifier("email", email, emailHash, Hashing::emailHash))
            .setPhoneHash(identifier("phone", phone, phoneHash, Hashing::phoneHash))
            .setExternalId(externalId)
            .build();
    if (identifiers.getSerializedSize() > 0) {
      built.setUserIdentifiers(identifiers);
    }
    if (amount != null || !currency.isEmpty()) {
      built.setConversionValue(conversion());
    }
    return Event.of(built.build());
  }

  private static String identifier(
      String name, String raw, String hashed, UnaryOperator<String> hash) {
    if (raw.isEmpty()) {
      return hashed;
    }
    if (!hashed.isEmpty()) {
      throw new IllegalArgumentException(
          name + " and " + name + "_hash are given: one of them is enough");
    }
    return hash.apply(raw);
  }

  private ConversionValue conversion() {
    if (amount == null) {
      throw new IllegalArgumentException("amount is missing: a currency alone is worth nothing");
    }
    if (currency.isEmpty()) {
      throw new IllegalArgumentException("currency is missing: an amount needs it");
    }
    if (!Double.isFinite(amount)) {
      throw new IllegalArgumentException("amount is not finite");
    }
    return ConversionValue.newBuilder().setAmount(amount).setCurrency(currency).build();
  }
}
