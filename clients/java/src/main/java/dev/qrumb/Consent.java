package dev.qrumb;

/** The visitor's answer. */
public enum Consent {
  /** Everything is kept. */
  GRANTED(dev.qrumb.v1.Consent.State.GRANTED),
  /** Neither user nor session, no city, no query of a URL and no own fields are kept. */
  DENIED(dev.qrumb.v1.Consent.State.DENIED),
  /** Not answered yet: no user and no city are kept. */
  PENDING(dev.qrumb.v1.Consent.State.PENDING);

  final dev.qrumb.v1.Consent.State state;

  Consent(dev.qrumb.v1.Consent.State state) {
    this.state = state;
  }

  /**
   * Reads {@code granted}, {@code denied} or {@code pending}, as a page or a form says it.
   *
   * @param text the word, in lower case
   * @return the answer
   * @throws IllegalArgumentException it is another word
   */
  public static Consent of(String text) {
    return switch (text) {
      case "granted" -> GRANTED;
      case "denied" -> DENIED;
      case "pending" -> PENDING;
      default -> throw new IllegalArgumentException("consent is granted, denied or pending");
    };
  }
}
