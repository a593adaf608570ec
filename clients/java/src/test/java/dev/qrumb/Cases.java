package dev.qrumb;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.util.JsonFormat;
import dev.qrumb.v1.Device;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;

/** The files that hold the clients of every language: see clients/cases/README.md. */
final class Cases {
  // The cases of redirect.yaml have one table of destinations.
  private static final int MOST_ALIASES = 1000;

  private Cases() {}

  /** A case or a part of one: what YAML has there. */
  record Case(Map<String, Object> fields) {
    boolean has(String name) {
      return fields.containsKey(name);
    }

    Object get(String name) {
      return fields.get(name);
    }

    String text(String name) {
      return (String) fields.getOrDefault(name, "");
    }

    boolean flag(String name) {
      return Boolean.TRUE.equals(fields.get(name));
    }

    double number(String name) {
      return ((Number) fields.getOrDefault(name, 0)).doubleValue();
    }

    int whole(String name) {
      return (int) number(name);
    }

    Duration seconds(String name) {
      return Cases.seconds(number(name));
    }

    Case part(String name) {
      return Cases.of(fields.getOrDefault(name, Map.of()));
    }

    List<Case> parts(String name) {
      return ((List<?>) fields.getOrDefault(name, List.of())).stream().map(Cases::of).toList();
    }
  }

  /** The cases of one file, each named as there. */
  static Stream<Named<Case>> load(String file) {
    try {
      return parse(Files.readString(Path.of("../cases", file + ".yaml")))
          .map(one -> Named.of(one.text("name"), one));
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  /** A list in YAML, or in JSON, which is YAML too. */
  static Stream<Case> parse(String text) {
    LoaderOptions options = new LoaderOptions();
    options.setMaxAliasesForCollections(MOST_ALIASES);
    List<?> found = new Yaml(options).load(text);
    return found.stream().map(Cases::of);
  }

  @SuppressWarnings("unchecked") // YAML's objects have texts as keys, except where they are numbers
  private static Case of(Object fields) {
    return new Case((Map<String, Object>) fields);
  }

  static Duration seconds(double seconds) {
    return Duration.ofNanos(Math.round(seconds * 1e9));
  }

  /** A builder with a case's settings. */
  static ClientBuilder settings(ClientBuilder builder, Case settings) {
    given(settings, "max_batch_events", value -> builder.maxBatchEvents((int) value));
    given(settings, "max_batch_bytes", value -> builder.maxBatchBytes((int) value));
    given(
        settings,
        "max_batch_delay",
        value -> builder.maxBatchDelay(settings.seconds("max_batch_delay")));
    given(settings, "max_queue_events", value -> builder.maxQueueEvents((int) value));
    given(settings, "max_queue_bytes", value -> builder.maxQueueBytes((int) value));
    given(
        settings,
        "when_full",
        value -> builder.whenFull(WhenFull.valueOf(value.toString().toUpperCase())));
    given(settings, "call_timeout", value -> builder.callTimeout(settings.seconds("call_timeout")));
    given(
        settings,
        "first_backoff",
        value -> builder.firstBackoff(settings.seconds("first_backoff")));
    given(settings, "max_backoff", value -> builder.maxBackoff(settings.seconds("max_backoff")));
    return builder;
  }

  /** The event of a builder with a case's arguments. */
  static Event build(String kind, Case input) {
    return kind.equals("browser") ? browser(input) : server(input);
  }

  private static Event server(Case input) {
    ServerEventBuilder builder = Event.server();
    given(input, "site_id", value -> builder.siteId((String) value));
    given(input, "event_id", value -> builder.eventId((String) value));
    given(
        input,
        "event_time",
        value -> builder.eventTime(OffsetDateTime.parse((String) value).toInstant()));
    given(input, "scan_session_id", value -> builder.scanSessionId((String) value));
    given(input, "consent", value -> builder.consent(Consent.of((String) value)));
    given(input, "event_name", value -> builder.eventName((String) value));
    given(input, "email", value -> builder.email((String) value));
    given(input, "phone", value -> builder.phone((String) value));
    given(input, "email_hash", value -> builder.emailHash((String) value));
    given(input, "phone_hash", value -> builder.phoneHash((String) value));
    given(input, "external_id", value -> builder.externalId((String) value));
    given(input, "amount", value -> amount(builder, value));
    given(input, "currency", value -> builder.currency((String) value));
    given(input, "properties", value -> builder.properties(input.part("properties").fields()));
    given(input, "client_ip", value -> builder.clientIp((String) value));
    given(input, "user_agent", value -> builder.userAgent((String) value));
    return builder.build();
  }

  private static Event browser(Case input) {
    BrowserEventBuilder builder = Event.browser();
    given(input, "site_id", value -> builder.siteId((String) value));
    given(input, "event_id", value -> builder.eventId((String) value));
    given(
        input,
        "event_time",
        value -> builder.eventTime(OffsetDateTime.parse((String) value).toInstant()));
    given(input, "scan_session_id", value -> builder.scanSessionId((String) value));
    given(input, "consent", value -> builder.consent(Consent.of((String) value)));
    given(input, "event_type", value -> builder.eventType((String) value));
    given(input, "page_url", value -> builder.pageUrl((String) value));
    given(input, "page_title", value -> builder.pageTitle((String) value));
    given(input, "referrer", value -> builder.referrer((String) value));
    given(input, "device", value -> builder.device(device(value)));
    given(input, "metadata", value -> builder.metadata(input.part("metadata").fields()));
    return builder.build();
  }

  private static void amount(ServerEventBuilder builder, Object value) {
    if (value instanceof String text) {
      builder.amount(new BigDecimal(text));
    } else {
      builder.amount(((Number) value).doubleValue());
    }
  }

  private static Device device(Object fields) {
    Device.Builder device = Device.newBuilder();
    try {
      JsonFormat.parser().merge(json(fields), device);
    } catch (InvalidProtocolBufferException error) {
      throw new UncheckedIOException(error);
    }
    return device.build();
  }

  /** What YAML has, as JSON. */
  static String json(Object value) {
    return new com.google.gson.GsonBuilder().serializeNulls().create().toJson(value);
  }

  private static void given(Case input, String name, Consumer<Object> set) {
    if (input.has(name)) {
      set.accept(input.get(name));
    }
  }
}
