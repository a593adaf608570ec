package dev.qrumb;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Signed scan sessions: the redirect signs the id that it gives to a browser, so that no browser
 * can make one up.
 */
public final class Signing {
  private static final String ALGORITHM = "HmacSHA256";
  private static final int SIGNATURE_BYTES = 16;
  private static final int LONGEST_ID = 128;

  private Signing() {}

  /**
   * The scan_session_id for a session of this name.
   *
   * @param secret the site's session secret ({@code qrumb sites session-secret})
   * @param siteId tracking site
   * @param name unique within the site and not to be guessed, such as a UUID
   * @return the name with its signature
   * @throws IllegalArgumentException the name has not 1 to 105 characters, or there is no secret
   */
  public static String signScanSessionId(String secret, String siteId, String name) {
    String signed = name + "." + signature(secret, siteId, name);
    if (name.isEmpty() || signed.length() > LONGEST_ID) {
      throw new IllegalArgumentException("the name of a scan session has 1 to 105 characters");
    }
    return signed;
  }

  /** Whether the id was signed with this secret for this site. */
  static boolean isSigned(String secret, String siteId, String scanSessionId) {
    int dot = scanSessionId.lastIndexOf('.');
    return dot >= 0
        && MessageDigest.isEqual(
            bytes(signature(secret, siteId, scanSessionId.substring(0, dot))),
            bytes(scanSessionId.substring(dot + 1)));
  }

  private static String signature(String secret, String siteId, String name) {
    try {
      Mac mac = Mac.getInstance(ALGORITHM);
      mac.init(new SecretKeySpec(bytes(secret), ALGORITHM));
      byte[] digest = mac.doFinal(bytes(siteId + "\n" + name));
      return Base64.getUrlEncoder()
          .withoutPadding()
          .encodeToString(Arrays.copyOf(digest, SIGNATURE_BYTES));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every Java has HmacSHA256", e);
    }
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
