package dev.qrumb;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Locale;
import java.util.function.IntPredicate;
import java.util.regex.Pattern;

/**
 * Normalise, then hash: the forms in which a person may be named to the collector. The raw text
 * never leaves the process, and no error quotes it.
 */
public final class Hashing {
  // E.164: at most 15 digits, no country code starts with 0; no number has fewer than 7.
  private static final Pattern E164 = Pattern.compile("\\+[1-9][0-9]{6,14}");
  private static final int NEXT_LINE = 0x85;

  private Hashing() {}

  /**
   * The hash of an e-mail address, trimmed and lower-cased.
   *
   * @param email the address
   * @return its SHA-256 as 64 hex digits
   * @throws IllegalArgumentException it is no e-mail address
   */
  public static String emailHash(String email) {
    String normal = lowerCase(trim(email));
    int at = normal.indexOf('@');
    String domain = normal.substring(at + 1);
    boolean isAddress =
        at > 0
            && domain.indexOf('@') < 0
            && domain.indexOf('.') > 0
            && !domain.endsWith(".")
            && normal.codePoints().noneMatch(Hashing::isForbidden);
    if (!isAddress) {
      throw new IllegalArgumentException("email is no e-mail address");
    }
    return hash(normal);
  }

  /**
   * The hash of a phone number in E.164 form, with the leading +.
   *
   * @param phone the number, with + or 00 and the country code
   * @return its SHA-256 as 64 hex digits
   * @throws IllegalArgumentException it is no international number
   */
  public static String phoneHash(String phone) {
    String normal = keep(phone, character -> !isSpace(character) && ".-()/".indexOf(character) < 0);
    if (normal.startsWith("00")) {
      normal = "+" + normal.substring(2);
    }
    if (!E164.matcher(normal).matches()) {
      throw new IllegalArgumentException(
          "phone is no international number: it needs + or 00 and the country code");
    }
    return hash(normal);
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

  /** Unicode's white space; each of Java's two notions lacks some of it. */
  private static boolean isSpace(int character) {
    return Character.isWhitespace(character)
        || Character.isSpaceChar(character)
        || character == NEXT_LINE;
  }

  private static boolean isForbidden(int character) {
    return isSpace(character)
        || Character.isISOControl(character)
        || Character.getType(character) == Character.SURROGATE;
  }

  private static String hash(String text) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      return HexFormat.of().formatHex(digest.digest(text.getBytes(StandardCharsets.UTF_8)));
    } catch (NoSuchAlgorithmException impossible) { // every Java platform has it
      throw new AssertionError(impossible);
    }
  }
}
