package dev.qrumb;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * Normalise, then hash: the forms in which a person may be named to the collector. The raw text
 * never leaves the process, and no error quotes it.
 */
public final class Hashing {
  private Hashing() {}

  /**
   * The hash of an e-mail address in its normal form.
   *
   * @param email the address
   * @return its SHA-256 as 64 hex digits
   * @throws IllegalArgumentException it is not one e-mail address
   */
  public static String emailHash(String email) {
    return hash(NormalForms.email(email));
  }

  /**
   * The hash of a phone number in E.164 form, with the leading +.
   *
   * @param phone the number, with + or 00 and the country code
   * @return its SHA-256 as 64 hex digits
   * @throws IllegalArgumentException it is not an international number, or takes libphonenumber to
   *     be understood
   */
  public static String phoneHash(String phone) {
    return hash(NormalForms.phone(phone));
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
