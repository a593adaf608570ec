package dev.qrumb;

/** The visitor's answer. */
public enum Consent {
  /** Everything that the contract has is kept. */
  GRANTED(dev.qrumb.v1.Consent.State.GRANTED),
  /** No user, no session, no place and no fields of one's own are kept. */
  DENIED(dev.qrumb.v1.Consent.State.DENIED),
  /** Not answered yet. */
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
