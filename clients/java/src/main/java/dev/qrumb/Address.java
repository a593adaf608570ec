package dev.qrumb;

import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where calls go; target is host:port. What an address may be is the same in every client. No error
 * quotes what it refuses: an address may have a key in it, and errors are logged.
 */
record Address(String target, boolean isSecure) {
  static final String DEFAULT_URL = "grpc://127.0.0.1:9090";

  /** Whether a scheme is TLS, and the port that it has where none is given; 0: it has none. */
  private record Scheme(boolean isSecure, int usualPort) {}

  private static final Map<String, Scheme> SCHEMES =
      Map.of(
          "grpc", new Scheme(false, 0),
          "grpcs", new Scheme(true, 443),
          "http", new Scheme(false, 80),
          "https", new Scheme(true, 443));
  private static final int MAX_PORT = 65_535;
  private static final Pattern VISIBLE = Pattern.compile("[!-~]*");
  private static final Pattern PARTS =
      Pattern.compile("(?:([^/?#\\\\@]*?)://)?([^/?#\\\\]*)(.*)", Pattern.DOTALL);
  private static final Pattern HOST_AND_PORT = Pattern.compile("(.*?)(?::([^:\\]]*))?");
  private static final Pattern HOST =
      Pattern.compile("[A-Za-z0-9._-]+|\\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*]");
  private static final Pattern PORT = Pattern.compile("[0-9]{1,5}");

  /**
   * Reads grpc://host:port, grpcs://, http://, https:// or host:port. An error begins with the
   * name, which says where the address stands.
   */
  static Address parse(String text, String name) {
    check(!text.isEmpty(), name, "is empty");
    check(
        VISIBLE.matcher(text).matches(),
        name,
        "has a character that no address has; a name in other letters is written with xn--");
    Matcher parts = PARTS.matcher(text);
    parts.matches(); // any text does
    String given = parts.group(1);
    Scheme scheme = SCHEMES.get(given == null ? "grpc" : given.toLowerCase(Locale.ROOT));
    check(scheme != null, name, "has a scheme that is none of grpc, grpcs, http, https");
    String authority = parts.group(2);
    check(
        !authority.contains("@"),
        name,
        "has a user or a password in it; the key is a setting of its own");
    check(
        parts.group(3).isEmpty() || parts.group(3).equals("/"),
        name,
        "has more than a scheme, a host and a port; calls have paths of their own");
    return new Address(target(authority, scheme, name), scheme.isSecure);
  }

  private static String target(String authority, Scheme scheme, String name) {
    Matcher parts = HOST_AND_PORT.matcher(authority);
    parts.matches();
    String host = parts.group(1);
    String port = parts.group(2);
    check(!host.isEmpty(), name, "has no host");
    check(
        HOST.matcher(host).matches(),
        name,
        "has a host that is neither a name nor an IP address, IPv6 in brackets");
    if (port == null) {
      check(scheme.usualPort > 0, name, "has no port; a node's own is 9090");
      return host + ":" + scheme.usualPort;
    }
    int number = PORT.matcher(port).matches() ? Integer.parseInt(port) : 0;
    check(number >= 1 && number <= MAX_PORT, name, "has a port that is not 1 to " + MAX_PORT);
    return host + ":" + number;
  }

  /** Refuses a key that no header can carry. */
  static String checkedKey(String key, String name) {
    check(
        VISIBLE.matcher(key).matches(),
        name,
        "has a character that no key has, such as a line feed");
    return key;
  }

  /** The builder of a client of QRUMB_URL, QRUMB_KEY and QRUMB_SPOOL_DIR; an empty one is none. */
  static ClientBuilder fromEnvironment(Map<String, String> environment) {
    String url = environment.getOrDefault("QRUMB_URL", "");
    if (!url.isEmpty()) {
      parse(url, "QRUMB_URL");
    }
    String key = checkedKey(environment.getOrDefault("QRUMB_KEY", ""), "QRUMB_KEY");
    return new ClientBuilder(url.isEmpty() ? DEFAULT_URL : url)
        .key(key)
        .spoolDir(Path.of(environment.getOrDefault("QRUMB_SPOOL_DIR", "")));
  }

  private static void check(boolean holds, String name, String why) {
    if (!holds) {
      throw new IllegalArgumentException(name + ": " + why);
    }
  }
}
