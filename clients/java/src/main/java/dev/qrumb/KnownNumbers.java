package dev.qrumb;

import com.google.i18n.phonenumbers.NumberParseException;
import com.google.i18n.phonenumbers.PhoneNumberUtil;
import com.google.i18n.phonenumbers.PhoneNumberUtil.PhoneNumberFormat;
import com.google.i18n.phonenumbers.PhoneNumberUtil.ValidationResult;
import com.google.i18n.phonenumbers.Phonenumber.PhoneNumber;

/**
 * What libphonenumber knows. A class of its own, since the library is optional: without it, this
 * class cannot be linked, and the caller catches that.
 */
final class KnownNumbers {
  private KnownNumbers() {}

  /**
   * A number in E.164 form as its country has it; empty: there is none. Where nothing is doubtful
   * only the length is judged, since ranges are opened anew.
   */
  static String find(String number, boolean isDoubtful) {
    PhoneNumberUtil library = PhoneNumberUtil.getInstance();
    PhoneNumber parsed;
    try {
      parsed = library.parse(number, null);
    } catch (NumberParseException noNumber) {
      return "";
    }
    boolean exists =
        isDoubtful
            ? library.isValidNumber(parsed)
            : library.isPossibleNumberWithReason(parsed) == ValidationResult.IS_POSSIBLE;
    return exists ? library.format(parsed, PhoneNumberFormat.E164) : "";
  }
}
