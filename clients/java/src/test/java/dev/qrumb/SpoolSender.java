package dev.qrumb;

import dev.qrumb.Cases.Case;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.yaml.snakeyaml.Yaml;

/**
 * A program that sends what it is told on standard input, for the cases of spool.yaml; its commands
 * are in clients/cases/README.md.
 */
final class SpoolSender {
  private final Client client;
  private int number;

  private SpoolSender() {
    Map<String, Object> settings = new Yaml().load(System.getenv("SENDER_SETTINGS"));
    client = Cases.settings(Client.builderFromEnv(), new Case(settings)).build();
  }

  /**
   * Runs until it is told to close.
   *
   * @param arguments none
   */
  public static void main(String[] arguments) throws IOException {
    SpoolSender sender = new SpoolSender();
    System.out.println("ready");
    BufferedReader input =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    String line = input.readLine();
    while (line != null) {
      String[] words = line.split(" ");
      switch (words[0]) {
        case "send" -> sender.send(words);
        case "flush" -> System.out.println(sender.client.flush(seconds(words)));
        default -> sender.close(words);
      }
      System.out.println("done");
      line = input.readLine();
    }
  }

  private static java.time.Duration seconds(String[] words) {
    return Cases.seconds(Double.parseDouble(words[1]));
  }

  /** So many, or for ever where it is 0; an id is printed when send has returned. */
  private void send(String[] words) {
    int count = Integer.parseInt(words[1]);
    for (int sent = 0; count == 0 || sent < count; sent++) {
      Event event =
          Event.server()
              .siteId("spool")
              .eventName("e" + number)
              .scanSessionId(words[3].equals("valid") ? "s" : "")
              .properties(Map.of("p", "x".repeat(Integer.parseInt(words[2]))))
              .build();
      try {
        System.out.println("id " + client.send(event));
        number++;
      } catch (QueueFullException full) {
        System.out.println("refused");
      }
    }
  }

  private void close(String[] words) {
    try {
      client.close(seconds(words));
    } catch (UndeliveredException left) {
      StringBuilder ids = new StringBuilder("left");
      left.events().forEach(event -> ids.append(' ').append(event.id()));
      System.out.println(ids);
    }
  }
}
