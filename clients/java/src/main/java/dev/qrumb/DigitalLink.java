package dev.qrumb;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A GS1 Digital Link path, as the codes on packages have them: {@code
 * /01/{gtin}/22/{variant}/10/{lot}/21/{serial}}. The GTIN, of 14 digits, names the code; the rest
 * are labels of the scan.
 */
record DigitalLink(String gtin, Map<String, String> labels) {
  private static final Pattern PATH =
      Pattern.compile(
          "/?01/([0-9]{8}|[0-9]{12,14})(?:/22/([^/]+))?(?:/10/([^/]+))?(?:/21/([^/]+))?/?");
  // GS1's set 82, 20 characters at most.
  private static final Pattern VALUE = Pattern.compile("[!\"%&'()*+,\\-./0-9:;<=>?A-Z_a-z]{1,20}");
  private static final List<String> NAMES = List.of("variant", "lot", "serial");
  private static final int GTIN_DIGITS = 14;

  /** Empty: no such path, or a wrong check digit. */
  static Optional<DigitalLink> read(String path) {
    Matcher found = PATH.matcher(path);
    if (!found.matches()) {
      return Optional.empty();
    }
    String gtin = "0".repeat(GTIN_DIGITS - found.group(1).length()) + found.group(1);
    Map<String, String> labels = new LinkedHashMap<>();
    for (int index = 0; index < NAMES.size(); index++) {
      String value = found.group(index + 2);
      if (value != null) {
        labels.put(NAMES.get(index), decode(value));
      }
    }
    boolean isLink =
        hasCheckDigit(gtin)
            && labels.values().stream().allMatch(label -> VALUE.matcher(label).matches());
    return isLink ? Optional.of(new DigitalLink(gtin, labels)) : Optional.empty();
  }

  /** A path's percent-encoding, in which a plus is a plus. */
  private static String decode(String value) {
    try {
      return URLDecoder.decode(value.replace("+", "%2B"), StandardCharsets.UTF_8);
    } catch (IllegalArgumentException broken) {
      return "";
    }
  }

  private static boolean hasCheckDigit(String gtin) {
    int sum = 0;
    for (int place = 0; place < gtin.length(); place++) {
      sum += (gtin.charAt(place) - '0') * (place % 2 == 0 ? 3 : 1);
    }
    return sum % 10 == 0;
  }
}
