package dev.qrumb;

import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.util.Arrays;
import java.util.Locale;
import java.util.function.IntPredicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * The one form in which an e-mail address or a phone number is hashed, however it was typed, copied
 * or exported: what was meant, or an error, since a guess would be the hash of another person. The
 * file clients/cases/hashes.yaml has the cases.
 */
final class NormalForms {
  private static final int MAX_TEXT = 1000;
  private static final int MAX_EMAIL_BYTES = 254; // RFC 5321
  private static final int MAX_LABEL_BYTES = 63; // RFC 1035
  private static final int NEXT_LINE = 0x85;
  private static final int WIDE_BY = 0xFEE0;

  private static final Pattern NAMED = Pattern.compile("[^@<>]*<([^<>]*)>[.,;]*");
  private static final String OPENING = "\"'([<“”„‚‘’«»‹›";
  private static final String CLOSING = "\"')]>“”‘’«»‹›.,;:!?";
  private static final String ATOM = "[\\p{L}\\p{M}\\p{N}!#$%&'*+/=?^_`{|}~-]+";
  private static final String LABEL = "(?!-)[\\p{L}\\p{M}\\p{N}-]+(?<!-)";
  private static final Pattern EMAIL =
      Pattern.compile(
          "%1$s(?:\\.%1$s)*@(?:%2$s\\.)+(?=\\p{L}.)%2$s".formatted(ATOM, LABEL), Pattern.DOTALL);

  // E.164: at most 15 digits, no country code starts with 0; no number has fewer than 7.
  private static final Pattern E164 = Pattern.compile("\\+[1-9][0-9]{6,14}");
  private static final String COUNTRY =
      "\\+(?:[17]|2(?:[07]|[1-689]\\d)|3(?:[0-469]|[578]\\d)|4(?:[013-9]|2\\d)|5(?:[1-8]|[09]\\d)"
          + "|6(?:[0-6]|[7-9]\\d)|8(?:[1246]|[03578-9]\\d)|9(?:[0-58]|[679]\\d))";
  // A trunk prefix is dialled before a number within its country: a zero (in some countries a part
  // of the number), an 8, or what makes more than the ten digits that all numbers of +1 and +7
  // have.
  private static final Pattern TRUNK_PREFIX =
      Pattern.compile(COUNTRY + "0.*|\\+(?:370|375|993)8.*|\\+[17](?:.{0,9}|.{11,})");
  private static final Pattern OPTIONAL_ZERO = Pattern.compile(COUNTRY + "\\)?\\(0");

  private NormalForms() {}

  /**
   * The address in lower case, without what it was copied with: mailto:, a name, quotes,
   * punctuation after it. Width, case and composition of characters are treated as RFC 8265 does it
   * for names; a host is in letters, not xn--.
   */
  static String email(String text) {
    String address = trim(Normalizer.normalize(lowerCase(fold(text)), Normalizer.Form.NFC));
    Matcher named = NAMED.matcher(address);
    if (named.matches()) {
      address = trim(named.group(1));
    }
    address = strip(address, OPENING, CLOSING);
    boolean isEncoded = false;
    if (address.startsWith("mailto:")) {
      address = address.replaceFirst("^mailto:(?://)?", "").split("\\?", 2)[0];
      isEncoded = address.contains("%");
    }
    int at = address.indexOf('@') + 1;
    String normal =
        address.substring(0, at)
            + Arrays.stream(address.substring(at).split("\\.", -1))
                .map(NormalForms::decode)
                .collect(Collectors.joining("."));
    if (isEncoded
        || !EMAIL.matcher(normal).matches()
        || !Normalizer.isNormalized(normal, Normalizer.Form.NFKC)
        || normal.getBytes(StandardCharsets.UTF_8).length > MAX_EMAIL_BYTES) {
      throw new IllegalArgumentException("email is not an e-mail address");
    }
    return normal;
  }

  /**
   * The number in E.164 form, with the leading +. Whether a zero after the country code is a trunk
   * prefix, +43 (0)660, is known to libphonenumber, an optional dependency, which also finds
   * numbers that cannot exist. It changes no number that is taken without it.
   */
  static String phone(String text) {
    String compact =
        keep(trim(fold(text)).replaceFirst("^(?i:tel:)", ""), character -> !isSeparator(character))
            .replaceFirst("^\\(?(?:00|\\+)", "+");
    String number = compact.replaceAll("[()]", "");
    boolean hasOptionalZero = OPTIONAL_ZERO.matcher(compact).lookingAt();
    if (!E164.matcher(number).matches()
        || compact.split("\\(0", -1).length - 1 != (hasOptionalZero ? 1 : 0)) {
      throw new IllegalArgumentException(
          "phone is not an international number: it needs + or 00, the country code, and neither"
              + " letters nor an extension");
    }
    boolean isDoubtful = TRUNK_PREFIX.matcher(number).matches();
    String known;
    try {
      known = KnownNumbers.find(number, isDoubtful);
    } catch (NoClassDefFoundError notThere) {
      if (isDoubtful) {
        throw new IllegalArgumentException(
            "phone may have a trunk prefix after its country code: leave it out, or add"
                + " com.googlecode.libphonenumber:libphonenumber, which knows the numbers of each"
                + " country");
      }
      return number;
    }
    if (known.isEmpty()
        || (!isDoubtful && !known.equals(number))
        || (hasOptionalZero && known.equals(number))) {
      throw new IllegalArgumentException("phone is not a number of its country");
    }
    return known;
  }

  /** Without characters that have no ink, and ASCII in one width. */
  private static String fold(String text) {
    if (text.length() > MAX_TEXT) {
      return "";
    }
    StringBuilder folded = new StringBuilder(text.length());
    text.codePoints()
        .filter(character -> !isInkless(character))
        .map(c -> 0xFF01 <= c && c <= 0xFF5E ? c - WIDE_BY : c)
        .forEach(folded::appendCodePoint);
    return folded.toString();
  }

  /** Unicode's format characters, a joiner, Hangul fillers, variation selectors. */
  private static boolean isInkless(int character) {
    return Character.getType(character) == Character.FORMAT
        || character == 0x034F
        || character == 0x115F
        || character == 0x1160
        || (0xFE00 <= character && character <= 0xFE0F);
  }

  private static String trim(String text) {
    int[] characters = text.codePoints().toArray();
    int start = 0;
    int end = characters.length;
    while (start < end && isSpace(characters[start])) {
      start++;
    }
    while (start < end && isSpace(characters[end - 1])) {
      end--;
    }
    return new String(characters, start, end - start);
  }

  private static String strip(String text, String opening, String closing) {
    int start = 0;
    int end = text.length();
    while (start < end && opening.indexOf(text.charAt(start)) >= 0) {
      start++;
    }
    while (start < end && closing.indexOf(text.charAt(end - 1)) >= 0) {
      end--;
    }
    return text.substring(start, end);
  }

  /**
   * Letter by letter: the final sigma of a whole word would make another person of the same one.
   */
  private static String lowerCase(String text) {
    StringBuilder lowered = new StringBuilder(text.length());
    text.codePoints()
        .forEach(
            character -> lowered.append(Character.toString(character).toLowerCase(Locale.ROOT)));
    return lowered.toString();
  }

  private static String keep(String text, IntPredicate isKept) {
    StringBuilder kept = new StringBuilder(text.length());
    text.codePoints().filter(isKept).forEach(kept::appendCodePoint);
    return kept.toString();
  }

  /** A host's label xn--... in letters; empty: none encodes to it. */
  private static String decode(String label) {
    if (!label.startsWith("xn--")) {
      return label;
    }
    String letters =
        label.length() > MAX_LABEL_BYTES
            ? ""
            : Punycode.lettersOf(label.substring("xn--".length()));
    return lowerCase(letters).equals(letters) && !letters.startsWith("xn--") ? letters : "";
  }

  private static boolean isSeparator(int character) {
    return isSpace(character)
        || "./-\u2212".indexOf(character) >= 0
        || (0x2010 <= character && character <= 0x2015);
  }

  /** Unicode's white space; each of Java's two notions lacks some of it. */
  private static boolean isSpace(int character) {
    return Character.isWhitespace(character)
        || Character.isSpaceChar(character)
        || character == NEXT_LINE;
  }
}
