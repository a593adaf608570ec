package dev.qrumb;

import com.google.protobuf.ListValue;
import com.google.protobuf.NullValue;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Collection;
import java.util.Map;

/**
 * Own fields as the contract's Struct. Errors name the argument only: keys and values may be
 * personal.
 */
final class Structs {
  // The contract allows 5. From some 30 on the server cannot decode the message, and would refuse
  // the whole batch for it.
  private static final int MAX_DEPTH = 20;
  // A Struct's numbers are doubles, and beyond it an integer loses digits.
  private static final BigInteger LARGEST_INTEGER = BigInteger.ONE.shiftLeft(53);

  private final String argument;

  private Structs(String argument) {
    this.argument = argument;
  }

  static Struct of(String argument, Map<String, ?> fields) {
    return new Structs(argument).struct(fields, 1);
  }

  private Struct struct(Map<?, ?> fields, int depth) {
    checkDepth(depth);
    Struct.Builder built = Struct.newBuilder();
    for (Map.Entry<?, ?> field : fields.entrySet()) {
      if (!(field.getKey() instanceof String name)) {
        throw new IllegalArgumentException(argument + " has a key that is not text");
      }
      built.putFields(name, value(field.getValue(), depth));
    }
    return built.build();
  }

  private ListValue list(Collection<?> items, int depth) {
    checkDepth(depth);
    ListValue.Builder built = ListValue.newBuilder();
    for (Object item : items) {
      built.addValues(value(item, depth));
    }
    return built.build();
  }

  /** A value within an object or list of that depth. */
  private Value value(Object given, int depth) {
    Value.Builder built = Value.newBuilder();
    if (given == null) {
      built.setNullValue(NullValue.NULL_VALUE);
    } else if (given instanceof String text) {
      built.setStringValue(text);
    } else if (given instanceof Boolean truth) {
      built.setBoolValue(truth);
    } else if (given instanceof Number number) {
      built.setNumberValue(number(number));
    } else if (given instanceof Map<?, ?> fields) {
      built.setStructValue(struct(fields, depth + 1));
    } else if (given instanceof Collection<?> items) {
      built.setListValue(list(items, depth + 1));
    } else {
      throw noJson(given);
    }
    return built.build();
  }

  private double number(Number given) {
    if (given instanceof Integer || given instanceof Short || given instanceof Byte) {
      return given.doubleValue();
    }
    if (given instanceof Long || given instanceof BigInteger) {
      if (new BigInteger(given.toString()).abs().compareTo(LARGEST_INTEGER) > 0) {
        throw new IllegalArgumentException(
            argument + " has an integer above 2^53, which would lose digits: send it as text");
      }
      return given.doubleValue();
    }
    if (given instanceof Double || given instanceof Float || given instanceof BigDecimal) {
      if (!Double.isFinite(given.doubleValue())) {
        throw new IllegalArgumentException(argument + " has a number that is not finite");
      }
      return given.doubleValue();
    }
    throw noJson(given);
  }

  private void checkDepth(int depth) {
    if (depth > MAX_DEPTH) {
      throw new IllegalArgumentException(argument + " is nested deeper than " + MAX_DEPTH);
    }
  }

  private IllegalArgumentException noJson(Object given) {
    return new IllegalArgumentException(
        argument + " has a " + given.getClass().getName() + ", which is not a type of JSON");
  }
}
