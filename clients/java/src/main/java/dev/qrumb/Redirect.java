package dev.qrumb;

import dev.qrumb.v1.ClientHints;
import dev.qrumb.v1.ScanSession;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * The redirect behind a QR code: a scan becomes a session, and its visitor is sent on at once.
 * Where to stands in the caller's own table; no answer waits for the collector or depends on it, as
 * scans go through the client's queue.
 */
public final class Redirect {
  /** Where the tag and the middlewares look for the session in a landing's address. */
  public static final String SESSION_PARAMETER = "qrs";

  private static final System.Logger LOG = System.getLogger("dev.qrumb");

  // A browser's guess is not a visit, and what it fetched early it would show later: the tap must
  // come here itself.
  private static final List<String> EARLY_HEADERS =
      List.of("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz");
  private static final Set<String> EARLY = Set.of("prefetch", "prerender", "preview");
  private static final Pattern BETWEEN_TOKENS = Pattern.compile("[;,\\s]+");
  private static final Pattern SITE_ID = Pattern.compile("[A-Za-z0-9_-]{1,64}");
  private static final Pattern DESTINATION = Pattern.compile("(?i:https?)://[!-~]+");
  private static final String PLAIN_IN_A_QUERY = "-._~!$&'()*+,;=:@/?%";
  private static final int LONGEST_CODE = 128;

  /**
   * What to answer.
   *
   * @param status of HTTP
   * @param headers each once
   * @param session the scan's signed id; empty where nothing was counted
   */
  public record Answer(int status, Map<String, String> headers, String session) {}

  private final Predicate<Event> offer;
  private final String siteId;
  private final String secret;
  private final Map<String, String> destinations;

  /**
   * Refuses what cannot work; the message names the argument, and the code.
   *
   * @param client registers the scans, in the background
   * @param siteId tracking site
   * @param secret signs the sessions ({@code qrumb sites session-secret})
   * @param destinations URL by QR code, which is a GTIN of 14 digits for GS1 Digital Links
   * @throws IllegalArgumentException an argument cannot work
   */
  public Redirect(Client client, String siteId, String secret, Map<String, String> destinations) {
    this(client::offer, siteId, secret, destinations);
  }

  Redirect(Predicate<Event> offer, String siteId, String secret, Map<String, String> destinations) {
    if (!SITE_ID.matcher(siteId).matches()) {
      throw new IllegalArgumentException("site_id has 1 to 64 characters of A-Z, a-z, 0-9, _, -");
    }
    if (secret.isEmpty()) {
      throw new IllegalArgumentException("secret is empty: anybody could make up sessions");
    }
    destinations.forEach(Redirect::check);
    this.offer = offer;
    this.siteId = siteId;
    this.secret = secret;
    this.destinations = Map.copyOf(destinations);
  }

  private static void check(String code, String url) {
    if (code.isEmpty() || code.length() > LONGEST_CODE) {
      throw new IllegalArgumentException(
          "destinations: the code '%s' has not 1 to 128 characters".formatted(code));
    }
    if (!DESTINATION.matcher(url).matches() || !hasHost(url)) {
      throw new IllegalArgumentException(
          "destinations: the URL of '%s' is not absolute, http or https, and of ASCII"
              .formatted(code));
    }
  }

  private static boolean hasHost(String url) {
    try {
      return URI.create(url).getHost() != null;
    } catch (IllegalArgumentException broken) {
      return false;
    }
  }

  /**
   * What the address of a QR code answers; a scan is registered in the background.
   *
   * @param request what is known of it
   * @return the answer
   */
  public Answer answer(ScanRequest request) {
    Optional<DigitalLink> link =
        destinations.containsKey(request.code())
            ? Optional.empty()
            : DigitalLink.read(request.code());
    String code = link.map(DigitalLink::gtin).orElse(request.code());
    String destination = destinations.get(code);
    if (!Set.of("GET", "HEAD").contains(request.method())) {
      return answer(405, "Allow", "GET, HEAD", "");
    }
    if (destination == null) {
      return answer(404, "", "", "");
    }
    if (isEarly(request.header())) {
      return answer(503, "", "", "");
    }
    String landing = withQuery(destination, forwarded(request.query()));
    if (request.method().equals("HEAD")) {
      return answer(302, "Location", landing, "");
    }
    String session = Signing.signScanSessionId(secret, siteId, EventIds.create());
    Map<String, Object> labels = new HashMap<>(link.map(DigitalLink::labels).orElse(Map.of()));
    labels.putAll(request.labels());
    ScanSession.Builder scan =
        ScanSession.newBuilder()
            .setSiteId(siteId)
            .setScanSessionId(session)
            .setQrCodeId(code)
            .setScanTime(Timestamps.of(Instant.now()))
            .setLandingPageUrl(landing);
    describe(scan, request, labels);
    offer.test(Event.of(scan.build()));
    String location = withQuery(landing, SESSION_PARAMETER + "=" + session);
    return answer(302, "Location", location, session);
  }

  /** What the request says of its visitor. No agent at all is said too: programs have none. */
  private static void describe(
      ScanSession.Builder scan, ScanRequest request, Map<String, Object> labels) {
    scan.setClientIp(request.clientIp())
        .setUserAgent(text(request, "User-Agent"))
        .setRequestMethod(request.method())
        .setReferrer(text(request, "Referer"));
    ClientHints hints =
        ClientHints.newBuilder()
            .setBrands(text(request, "Sec-CH-UA"))
            .setMobile(text(request, "Sec-CH-UA-Mobile"))
            .setPlatform(text(request, "Sec-CH-UA-Platform"))
            .build();
    if (!hints.equals(ClientHints.getDefaultInstance())) {
      scan.setClientHints(hints);
    }
    try {
      if (!labels.isEmpty()) {
        scan.setLabels(Structs.of("labels", labels));
      }
    } catch (IllegalArgumentException mistake) { // of the program: no visitor is kept for it
      LOG.log(System.Logger.Level.ERROR, "qrumb: a scan is registered without its labels", mistake);
    }
    if (request.consent() != null) {
      scan.setConsent(request.consent().state);
    }
  }

  private static String text(ScanRequest request, String name) {
    String found = request.header().apply(name);
    return found == null ? "" : found;
  }

  /** An answer that no copy gives in our stead, and that no search engine keeps. */
  private static Answer answer(int status, String name, String value, String session) {
    Map<String, String> headers = new HashMap<>();
    headers.put("Cache-Control", "private, no-store");
    headers.put("X-Robots-Tag", "noindex");
    if (!name.isEmpty()) {
      headers.put(name, value);
    }
    return new Answer(status, Map.copyOf(headers), session);
  }

  private static boolean isEarly(UnaryOperator<String> header) {
    return EARLY_HEADERS.stream()
        .map(header)
        .filter(found -> found != null)
        .flatMap(found -> BETWEEN_TOKENS.splitAsStream(found.toLowerCase(Locale.ROOT)))
        .anyMatch(EARLY::contains);
  }

  /** The query as it may stand in a header, without a session that a third party put there. */
  private static String forwarded(String query) {
    StringBuilder encoded = new StringBuilder();
    for (byte octet : query.getBytes(StandardCharsets.UTF_8)) {
      boolean isLetter = octet >= 'a' && octet <= 'z' || octet >= 'A' && octet <= 'Z';
      boolean isDigit = octet >= '0' && octet <= '9';
      if (isLetter || isDigit || octet > 0 && PLAIN_IN_A_QUERY.indexOf(octet) >= 0) {
        encoded.append((char) octet);
      } else {
        encoded.append("%%%02X".formatted(octet & 0xFF));
      }
    }
    return Arrays.stream(encoded.toString().split("&"))
        .filter(pair -> !pair.isEmpty() && !nameOf(pair).equals(SESSION_PARAMETER))
        .collect(Collectors.joining("&"));
  }

  /** The decoded name of a pair of a query; one that cannot be decoded is as it stands. */
  static String nameOf(String pair) {
    String name = pair.split("=", 2)[0];
    try {
      return URLDecoder.decode(name, StandardCharsets.UTF_8);
    } catch (IllegalArgumentException broken) {
      return name;
    }
  }

  private static String withQuery(String url, String query) {
    if (query.isEmpty()) {
      return url;
    }
    int hash = url.indexOf('#');
    String address = hash < 0 ? url : url.substring(0, hash);
    String fragment = hash < 0 ? "" : url.substring(hash);
    int mark = address.indexOf('?');
    String own = mark < 0 ? "" : address.substring(mark + 1);
    String path = mark < 0 ? address : address.substring(0, mark);
    String joint = own.isEmpty() || own.endsWith("&") ? "" : "&";
    return path + "?" + own + joint + query + fragment;
  }
}
