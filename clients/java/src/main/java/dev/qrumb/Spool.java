package dev.qrumb;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.qrumb.v1.BrowserEvent;
import dev.qrumb.v1.ScanSession;
import dev.qrumb.v1.ServerEvent;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Predicate;
import java.util.stream.Stream;
import java.util.zip.CRC32;

/**
 * The folder in which what is queued survives its sender. A client writes a file of its own there,
 * with a lock on it, and sends what is in files without one. The files are the same in every
 * language; clients/python/qrumb/spool.py has their layout. All calls are made under the client's
 * lock.
 */
final class Spool {
  private static final System.Logger LOG = System.getLogger("dev.qrumb");

  private static final byte[] HEADER = "qrumb-1\n".getBytes(StandardCharsets.US_ASCII);
  private static final String SUFFIX = ".qrumb";
  private static final int FRAME_BYTES = 8;
  private static final int KINDS = 3;
  private static final byte ANSWERED = 4;
  private static final int ANSWERED_BYTES = 10;
  // Listing a folder costs little; reading again what found no room costs more.
  private static final long LOOK_AGAIN_NANOS = 60_000_000_000L;
  private static final long TRY_AGAIN_NANOS = 1_000_000_000L;
  private static final long BETWEEN_LINES_NANOS = 1_000_000_000L;

  // A process' locks are not locks against itself, and closing a file loses them: what it holds
  // must not be opened again.
  private static final Set<Path> HELD = ConcurrentHashMap.newKeySet();

  /** An open file with a lock on it; size is where its next record goes. */
  private static final class SpoolFile {
    final Path path;
    final RandomAccessFile handle;
    long size;
    int live; // its events without an answer

    SpoolFile(Path path, RandomAccessFile handle) {
      this.path = path;
      this.handle = handle;
    }

    /** Writes a record; says where it begins. */
    long append(byte[] body) throws IOException {
      long offset = size;
      CRC32 checksum = new CRC32();
      checksum.update(body);
      ByteBuffer record =
          ByteBuffer.allocate(FRAME_BYTES + body.length).order(ByteOrder.LITTLE_ENDIAN);
      write(record.putInt(body.length).putInt((int) checksum.getValue()).put(body).array());
      return offset;
    }

    /** Writes all of it or nothing, at the end. Not by the channel: an interrupt would close it. */
    void write(byte[] content) throws IOException {
      try {
        handle.seek(size);
        handle.write(content);
      } catch (IOException fault) {
        try {
          handle.setLength(size);
        } catch (IOException again) {
          fault.addSuppressed(again);
        }
        throw fault;
      }
      size += content.length;
    }
  }

  /** Where an event is kept. */
  static final class Place {
    private final SpoolFile file;
    private final int kind;
    private final long offset;

    private Place(SpoolFile file, int kind, long offset) {
      this.file = file;
      this.kind = kind;
      this.offset = offset;
    }
  }

  /** An event of a file, and its place there. */
  record Kept(Event event, Place place) {}

  private final Path folder;
  private final long limitBytes;
  private final Buffer buffer;
  private final Set<SpoolFile> files = new HashSet<>();
  private SpoolFile own;
  private long nextLook = System.nanoTime();
  private long quietUntil = System.nanoTime();
  private long inMemory;

  /**
   * Makes the folder where it is missing, for the owner alone.
   *
   * @throws IllegalArgumentException it cannot be used
   */
  Spool(Path folder, long limitBytes, Buffer buffer) {
    try {
      if (!Files.isDirectory(folder)) {
        Files.createDirectories(folder, ownersAlone("rwx------"));
      }
      this.folder = folder.toRealPath();
    } catch (IOException fault) {
      throw new IllegalArgumentException("spoolDir: cannot be used: " + fault, fault);
    }
    if (!Files.isWritable(this.folder)) {
      throw new IllegalArgumentException("spoolDir: " + folder + " cannot be written to");
    }
    this.limitBytes = limitBytes;
    this.buffer = buffer;
  }

  Path folder() {
    return folder;
  }

  /** Writes an event; null where that failed: it waits in memory alone, which is logged. */
  Place keep(Event event) {
    try {
      if (own == null) {
        own = create();
      } else if (own.size > limitBytes) {
        own = renew(own);
      }
      Place place = new Place(own, kind(event), own.append(body(event)));
      own.live++;
      return place;
    } catch (IOException fault) {
      inMemory++;
      long now = System.nanoTime();
      if (now - quietUntil >= 0) {
        quietUntil = now + BETWEEN_LINES_NANOS;
        LOG.log(
            System.Logger.Level.ERROR,
            "qrumb: {0} cannot be written: {1}; {2} so far in memory alone",
            folder,
            fault.getMessage(),
            Hooks.counted(inMemory));
      }
      return null;
    }
  }

  /** These events of one kind have their answer, and leave the folder. */
  void settle(List<Place> settled) {
    Map<SpoolFile, Place> through = new HashMap<>();
    for (Place place : settled) {
      place.file.live--;
      through.put(place.file, place);
    }
    for (Place last : through.values()) {
      try {
        if (last.file.live > 0) {
          ByteBuffer mark = ByteBuffer.allocate(ANSWERED_BYTES).order(ByteOrder.LITTLE_ENDIAN);
          last.file.append(mark.put(ANSWERED).put((byte) last.kind).putLong(last.offset).array());
        } else if (last.file == own) {
          own.size = HEADER.length;
          own.handle.setLength(own.size);
        } else {
          remove(last.file);
        }
      } catch (IOException unwritten) {
        continue; // they are sent again: duplicates, no more
      }
    }
  }

  /** Whether it is time to look for files of clients that are gone. */
  boolean isLookDue() {
    return System.nanoTime() - nextLook >= 0;
  }

  /** Hands over the events of files without a lock; take says whether there was room for them. */
  void adopt(Predicate<List<Kept>> take) {
    long wait = LOOK_AGAIN_NANOS;
    for (Path path : found()) {
      SpoolFile file = locked(path);
      if (file == null) {
        continue;
      }
      List<Kept> events = read(file);
      if (events == null) {
        letGo(file);
      } else if (events.isEmpty()) {
        remove(file);
      } else if (take.test(events)) {
        file.live = events.size();
        files.add(file);
      } else {
        letGo(file);
        wait = TRY_AGAIN_NANOS;
      }
    }
    nextLook = System.nanoTime() + wait;
  }

  /** Leaves what has no answer to the next client; nothing else stays. */
  void close() {
    for (SpoolFile file : List.copyOf(files)) {
      if (file.live > 0) {
        letGo(file);
      } else {
        remove(file);
      }
    }
  }

  private List<Path> found() {
    try (Stream<Path> entries = Files.list(folder)) {
      return entries.filter(path -> path.toString().endsWith(SUFFIX)).sorted().toList();
    } catch (IOException | UncheckedIOException unreadable) {
      return List.of();
    }
  }

  private SpoolFile create() throws IOException {
    while (true) {
      int chance = ThreadLocalRandom.current().nextInt();
      String name = "%012x-%08x%s".formatted(System.currentTimeMillis(), chance, SUFFIX);
      Path path = folder.resolve(name);
      try {
        Files.createFile(path, ownersAlone("rw-------"));
      } catch (FileAlreadyExistsException taken) {
        continue;
      }
      // Until it has its lock, another client may take it for one that was left, and remove it.
      SpoolFile file = locked(path);
      if (file != null) {
        try {
          file.write(HEADER);
        } catch (IOException fault) {
          remove(file);
          throw fault;
        }
        files.add(file);
        return file;
      }
    }
  }

  /** A new file with what waits in the old one, which is removed. */
  private SpoolFile renew(SpoolFile old) throws IOException {
    SpoolFile renewed = create();
    List<Buffer.Queued> moved =
        buffer.unsettled().stream()
            .filter(queued -> queued.place != null && queued.place.file == old)
            .toList();
    List<Place> places = new ArrayList<>();
    try {
      for (Buffer.Queued queued : moved) {
        long offset = renewed.append(body(queued.event));
        places.add(new Place(renewed, queued.place.kind, offset));
      }
    } catch (IOException fault) {
      remove(renewed);
      throw fault;
    }
    for (int index = 0; index < places.size(); index++) {
      moved.get(index).place = places.get(index);
    }
    renewed.live = places.size();
    remove(old);
    return renewed;
  }

  /** The file with its lock; null where it is another's, or gone. */
  private static SpoolFile locked(Path path) {
    if (!HELD.add(path)) {
      return null;
    }
    RandomAccessFile handle = null;
    try {
      handle = new RandomAccessFile(path.toFile(), "rw");
      // It may have been removed by the one that had the lock, or made anew by being opened here.
      if (handle.getChannel().tryLock() != null && Files.exists(path)) {
        return new SpoolFile(path, handle);
      }
    } catch (IOException | OverlappingFileLockException another) {
      LOG.log(System.Logger.Level.DEBUG, "qrumb: another has it", another);
    }
    close(handle);
    HELD.remove(path);
    return null;
  }

  private void letGo(SpoolFile file) {
    close(file.handle);
    files.remove(file);
    HELD.remove(file.path);
  }

  private void remove(SpoolFile file) {
    if (file == own) {
      own = null;
    }
    try {
      Files.deleteIfExists(file.path);
    } catch (IOException fault) {
      LOG.log(System.Logger.Level.WARNING, "qrumb: a file cannot be removed", fault);
    }
    letGo(file);
  }

  private static void close(RandomAccessFile handle) {
    try {
      if (handle != null) {
        handle.close();
      }
    } catch (IOException fault) {
      LOG.log(System.Logger.Level.DEBUG, "qrumb: a file cannot be closed", fault);
    }
  }

  /**
   * The events of a file that have no answer; null where the file is not of this form, and is left
   * as it is. What is damaged is left out and logged.
   */
  private static List<Kept> read(SpoolFile file) {
    byte[] content;
    try {
      content = new byte[Math.toIntExact(file.handle.length())];
      file.handle.seek(0);
      file.handle.readFully(content);
    } catch (IOException | ArithmeticException unreadable) {
      content = new byte[] {0};
    }
    int common = Math.min(content.length, HEADER.length);
    if (!Arrays.equals(content, 0, common, HEADER, 0, common)) {
      LOG.log(
          System.Logger.Level.ERROR,
          "qrumb: {0} is not a file of this version''s: left as it is",
          file.path);
      return null;
    }
    if (content.length < HEADER.length) {
      return List.of(); // its client ended when it was made
    }
    return records(file, ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN));
  }

  private static List<Kept> records(SpoolFile file, ByteBuffer content) {
    List<Kept> events = new ArrayList<>();
    long[] answered = new long[KINDS + 1];
    int damaged = 0;
    content.position(HEADER.length);
    while (content.remaining() > FRAME_BYTES) {
      int offset = content.position();
      int length = content.getInt(offset);
      if (length <= 0 || length > content.remaining() - FRAME_BYTES) {
        break;
      }
      byte[] body = new byte[length];
      content.get(offset + FRAME_BYTES, body);
      content.position(offset + FRAME_BYTES + length);
      CRC32 checksum = new CRC32();
      checksum.update(body);
      ByteBuffer mark = ByteBuffer.wrap(body).order(ByteOrder.LITTLE_ENDIAN);
      if (content.getInt(offset + 4) != (int) checksum.getValue()) {
        damaged++;
      } else if (body[0] == ANSWERED && length == ANSWERED_BYTES && isKind(body[1])) {
        answered[body[1]] = mark.getLong(2);
      } else {
        Event event = restored(body);
        if (event == null) {
          damaged++;
        } else {
          events.add(new Kept(event, new Place(file, body[0], offset)));
        }
      }
    }
    file.size = content.position();
    if (content.hasRemaining()) {
      LOG.log(
          System.Logger.Level.WARNING,
          "qrumb: {0} ends with {1} bytes of no whole record, which are left out",
          file.path,
          content.remaining());
    }
    if (damaged > 0) {
      LOG.log(
          System.Logger.Level.ERROR,
          "qrumb: {0} has {1} damaged records, which are left out",
          file.path,
          damaged);
    }
    events.removeIf(kept -> kept.place.offset <= answered[kept.place.kind]);
    return events;
  }

  /** An event out of a record's body; null where that is none. */
  private static Event restored(byte[] body) {
    ByteBuffer message = ByteBuffer.wrap(body, 1, body.length - 1);
    try {
      return switch (body[0]) {
        case 1 -> Event.of(ServerEvent.parseFrom(message));
        case 2 -> Event.of(BrowserEvent.parseFrom(message));
        case 3 -> Event.of(ScanSession.parseFrom(message));
        default -> null;
      };
    } catch (InvalidProtocolBufferException damaged) {
      return null;
    }
  }

  private static boolean isKind(byte code) {
    return code >= 1 && code <= KINDS;
  }

  private static int kind(Event event) {
    return event instanceof Event.Server ? 1 : event instanceof Event.Browser ? 2 : 3;
  }

  private static byte[] body(Event event) {
    byte[] message = event.message().toByteArray();
    byte[] body = new byte[1 + message.length];
    body[0] = (byte) kind(event);
    System.arraycopy(message, 0, body, 1, message.length);
    return body;
  }

  /** The permissions, where the system knows such. */
  private static FileAttribute<?>[] ownersAlone(String permissions) {
    if (!FileSystems.getDefault().supportedFileAttributeViews().contains("posix")) {
      return new FileAttribute<?>[0];
    }
    return new FileAttribute<?>[] {
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(permissions))
    };
  }
}
