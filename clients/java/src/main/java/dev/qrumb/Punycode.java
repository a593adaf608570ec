package dev.qrumb;

import java.util.ArrayList;
import java.util.List;

/**
 * What a host's label says after its xn--: RFC 3492, and no more. The JDK's own IDN is of IDNA
 * 2003, which maps, and refuses labels of letters that other languages take: one person would get
 * two hashes.
 */
final class Punycode {
  private static final int BASE = 36;
  private static final int T_MIN = 1;
  private static final int T_MAX = 26;
  private static final int SKEW = 38;
  private static final int DAMP = 700;
  private static final int FIRST = 0x80;
  private static final String DIGITS = "abcdefghijklmnopqrstuvwxyz0123456789";

  private Punycode() {}

  /**
   * The letters that the code stands for, of which at least one is not ASCII; empty: it stands for
   * none. The code has at most 63 characters, so that no number here is too long.
   */
  static String lettersOf(String code) {
    int basic = Math.max(0, code.lastIndexOf('-'));
    List<Integer> letters = new ArrayList<>();
    code.substring(0, basic).codePoints().forEach(letters::add);
    int next = basic > 0 ? basic + 1 : 0;
    if (next >= code.length() || letters.stream().anyMatch(letter -> letter >= FIRST)) {
      return "";
    }
    long letter = FIRST;
    long at = 0;
    int bias = 72;
    while (next < code.length()) {
      long before = at;
      long weight = 1;
      for (int k = BASE; ; k += BASE) {
        int digit = next < code.length() ? DIGITS.indexOf(code.charAt(next++)) : -1;
        if (digit < 0 || weight > Integer.MAX_VALUE) {
          return "";
        }
        at += digit * weight;
        int threshold = Math.min(Math.max(k - bias, T_MIN), T_MAX);
        if (digit < threshold) {
          break;
        }
        weight *= BASE - threshold;
      }
      int count = letters.size() + 1;
      bias = adapted(at - before, count, before == 0);
      letter += at / count;
      at %= count;
      if (letter > Character.MAX_CODE_POINT
          || (letter >= Character.MIN_SURROGATE && letter <= Character.MAX_SURROGATE)) {
        return "";
      }
      letters.add((int) at++, (int) letter);
    }
    StringBuilder text = new StringBuilder();
    letters.forEach(text::appendCodePoint);
    return text.toString();
  }

  private static int adapted(long distance, int count, boolean isFirst) {
    long delta = distance / (isFirst ? DAMP : 2);
    delta += delta / count;
    int k = 0;
    for (; delta > (BASE - T_MIN) * T_MAX / 2; k += BASE) {
      delta /= BASE - T_MIN;
    }
    return (int) (k + (BASE - T_MIN + 1) * delta / (delta + SKEW));
  }
}
