package dev.qrumb;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.qrumb.Cases.Case;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.InvocationTargetException;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class HashingTest {
  private static final ClassLoader WITHOUT_LIBRARY = new WithoutLibrary();

  static Stream<Named<Case>> hashes() {
    return Cases.load("hashes");
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource
  void hashes(Case found) throws ReflectiveOperationException {
    check(found, Hashing.class, "refuses");
    check(found, WITHOUT_LIBRARY.loadClass(Hashing.class.getName()), "decides");
  }

  private static void check(Case found, Class<?> hashing, String refusing)
      throws ReflectiveOperationException {
    var hash = hashing.getMethod(found.text("kind") + "Hash", String.class);
    String input = found.text("input");
    String extra = found.text("extra");
    if (!found.flag("refused") && !extra.equals(refusing)) {
      assertEquals(found.text("hash"), hash.invoke(null, input));
      return;
    }
    Throwable refused =
        assertThrows(InvocationTargetException.class, () -> hash.invoke(null, input)).getCause();
    assertEquals(IllegalArgumentException.class, refused.getClass());
    assertTrue(!extra.equals("decides") || refused.getMessage().contains(":libphonenumber,"));
    assertFalse(
        !input.isBlank() && refused.getMessage().contains(input.strip()), "quotes the input");
  }

  /** The client's classes anew, where nobody added libphonenumber. */
  private static final class WithoutLibrary extends ClassLoader {
    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
      if (name.startsWith("com.google.i18n.")) {
        throw new ClassNotFoundException(name);
      }
      if (!name.startsWith("dev.qrumb.")) {
        return super.loadClass(name, resolve);
      }
      Class<?> loaded = findLoadedClass(name);
      return loaded != null ? loaded : findClass(name);
    }

    @Override
    protected Class<?> findClass(String name) throws ClassNotFoundException {
      try (InputStream code = getResourceAsStream(name.replace('.', '/') + ".class")) {
        byte[] bytes = code.readAllBytes();
        return defineClass(name, bytes, 0, bytes.length);
      } catch (IOException unreadable) {
        throw new ClassNotFoundException(name, unreadable);
      }
    }
  }
}
