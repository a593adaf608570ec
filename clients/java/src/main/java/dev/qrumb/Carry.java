package dev.qrumb;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Carries a scan from the landing to the sale. The landing's address names the session ({@code
 * qrs=}). Its signature says that a redirect of the site made it, and its UUIDv7 says when, so a
 * cookie needs nothing else.
 *
 * @param siteId tracking site
 * @param secrets of the redirects; several while one is being replaced
 * @param life how long after its scan a session is carried
 * @param cookie its name
 * @param isSecure whether the cookie goes over HTTPS alone; browsers make an exception for this
 *     machine
 */
public record Carry(
    String siteId, List<String> secrets, Duration life, String cookie, boolean isSecure) {
  private static final Duration LIFE = Duration.ofDays(30);
  private static final Pattern COOKIE = Pattern.compile("[A-Za-z0-9_-]+");
  // Nothing that a cookie could not hold as it is.
  private static final Pattern SESSION = Pattern.compile("[A-Za-z0-9._~-]{1,128}");
  private static final int TIME_SORTED = 7;

  /**
   * What a request carries, and what its answer has to do.
   *
   * @param session empty: none
   * @param setCookie the header Set-Cookie that the answer needs; empty: none
   */
  public record Carried(String session, String setCookie) {}

  /**
   * Refuses what cannot work; the message names the argument.
   *
   * @param siteId tracking site
   * @param secrets of the redirects
   * @param life how long after its scan a session is carried
   * @param cookie its name
   * @param isSecure whether the cookie goes over HTTPS alone
   * @throws IllegalArgumentException an argument cannot work
   */
  public Carry {
    secrets = List.copyOf(secrets);
    if (secrets.isEmpty() || secrets.contains("")) {
      throw new IllegalArgumentException("secrets: there is none, or an empty one");
    }
    if (life.toSeconds() < 1) {
      throw new IllegalArgumentException("life is above 0");
    }
    if (!COOKIE.matcher(cookie).matches()) {
      throw new IllegalArgumentException("cookie has characters of A-Z, a-z, 0-9, _ and -");
    }
  }

  /**
   * For 30 days, in the cookie qrs, over HTTPS.
   *
   * @param siteId tracking site
   * @param secrets of the redirects; several while one is being replaced
   */
  public Carry(String siteId, List<String> secrets) {
    this(siteId, secrets, LIFE, Redirect.SESSION_PARAMETER, true);
  }

  /** Without the secrets, as it may end in a log. */
  @Override
  public String toString() {
    return "Carry[siteId=%s, life=%s, cookie=%s]".formatted(siteId, life, cookie);
  }

  /**
   * What a request carries. Denied consent carries nothing and deletes the cookie. Granted consent
   * keeps the session, and the last scan wins. Pending consent carries what the address says, for
   * this request alone.
   *
   * @param query of the request, or null
   * @param sent the cookie's value; empty or null: none
   * @param consent the visitor's; null is as good as pending
   * @return what it carries
   */
  public Carried read(String query, String sent, Consent consent) {
    String kept = sent == null ? "" : sent;
    Carried deleted = new Carried("", kept.isEmpty() ? "" : cookie("", 0));
    if (consent == Consent.DENIED) {
      return deleted;
    }
    String landed =
        named(query == null ? "" : query)
            .filter(session -> secondsLeft(session) > 0)
            .findFirst()
            .orElse("");
    if (consent != Consent.GRANTED) {
      return new Carried(landed, "");
    }
    if (!landed.isEmpty() && !landed.equals(kept)) {
      return new Carried(landed, cookie(landed, secondsLeft(landed)));
    }
    return secondsLeft(kept) > 0 ? new Carried(kept, "") : deleted;
  }

  private static Stream<String> named(String query) {
    return Arrays.stream(query.split("&"))
        .filter(pair -> pair.contains("="))
        .filter(pair -> Redirect.nameOf(pair).equals(Redirect.SESSION_PARAMETER))
        .map(pair -> decoded(pair.substring(pair.indexOf('=') + 1)));
  }

  private static String decoded(String value) {
    try {
      return URLDecoder.decode(value, StandardCharsets.UTF_8);
    } catch (IllegalArgumentException broken) {
      return "";
    }
  }

  private String cookie(String value, long seconds) {
    String secure = isSecure ? "Secure; " : "";
    return "%s=%s; Max-Age=%d; Path=/; HttpOnly; %sSameSite=Lax"
        .formatted(cookie, value, seconds, secure);
  }

  /** How long it is carried from now on; 0: not at all, as it is too old or not signed. */
  private long secondsLeft(String session) {
    boolean isOurs =
        SESSION.matcher(session).matches()
            && secrets.stream().anyMatch(secret -> Signing.isSigned(secret, siteId, session));
    if (!isOurs) {
      return 0;
    }
    long left =
        scanTime(session)
            .map(scanned -> Duration.between(Instant.now(), scanned.plus(life)).toSeconds())
            .orElse(life.toSeconds());
    return Math.min(life.toSeconds(), Math.max(0, left));
  }

  /** Empty where the session's name is not a UUIDv7, as of a redirect of one's own. */
  private static Optional<Instant> scanTime(String session) {
    String name = session.substring(0, session.lastIndexOf('.'));
    try {
      UUID id = UUID.fromString(name);
      return id.version() == TIME_SORTED
          ? Optional.of(Instant.ofEpochMilli(id.getMostSignificantBits() >>> 16))
          : Optional.empty();
    } catch (IllegalArgumentException other) {
      return Optional.empty();
    }
  }
}
