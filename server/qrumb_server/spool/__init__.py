"""The durable spool: where an accepted event waits until ClickHouse has it.

One folder per collector worker, append-only segment files in it. The worker's process writes and seals, the
loader's process reads sealed segments and unlinks them; no other process touches a file. Records are opaque bytes.

Invariants
----------
1. `SpoolWriter.append` returns only after its records are durable: content, length and the file's name.
2. A row is named for ever by (segment id, row number). No id is used twice, and no row of a sealed segment
   ever changes, so a batch of unknown outcome can be sent again and compared by that name.
3. One append lies in one segment, its rows side by side in the order given.
4. Each folder has one owner at a time: the holder of the flock on its file `lock`.
5. What a reader returns was appended. Damage loses rows, and counts them; it never alters or invents one.
6. A file that met a fault of the disk is never written or synced again.

Files of a folder
-----------------
`lock`                    empty, never removed
`<uuid7>.open`            the segment being written: one, and those that a broken disk will not rename
`<uuid7>.<rows>.sealed`   final; its content is the rows numbered below <rows>, whatever else the file holds
`../quarantine/<folder>.<name>`   damaged files, for a human

Ids sort in order of creation, also when the clock steps back: a new one is later than any in the folder.

Bytes (little-endian)
---------------------
Segment = header, frames.
Header  = magic "qrumbseg", version u32, segment id 16 bytes, crc32 of these.
Frame   = marker F1 71 72 01, length u32, row u32, crc32 of the payload, crc32 of the head so far, payload.

The last crc32, of the head, starts from the crc32 of the segment id: a frame imitated inside a payload, or
left over from another segment, does not pass. A head that passes is trusted for its length, so a damaged
payload costs one row and a scan is linear. A damaged head costs its row and a search for the next marker. A
changed layout changes the marker too: an older reader then finds no rows and puts the file aside unharmed.

Crash cases
-----------
- Killed between write and sync: the page cache survives. Whole frames are kept (never acknowledged, there at
  most once), the torn one is cut off by recovery.
- Power cut before the sync ended: any part of the group may be there, none was acknowledged. Recovery cuts
  after the last whole frame; a hole before a whole frame is kept and reported.
- Power cut after the sync: everything is there; the content by fdatasync, the name by the sync of the folder
  that precedes a segment's first acknowledgement.
- Power cut around the seal: the rename is there or not; if not, recovery repeats it.
- Power cut after a release: the segment may be back. `release` says what the loader owes.
- A write falls short: it is continued.
- Disk full while writing: the part is cut off, the cut is synced, the callers get SpoolFullError and the
  segment goes on. If the cut fails, as the next case.
- Write or sync fails otherwise: the callers get SpoolFailedError. The kernel reports lost pages once, so a
  second sync would lie: the file is closed, sealed with the rows that were durable before (removed if there
  are none), and the next append begins another.
- Rename or unlink fails at the seal: the segment waits, closed; every later seal tries again, and recovery.
- A limit is reached: SpoolFullError, or SiteShareError where it is one site's. The folder is looked at again, at most
  every 100 ms, because the loader makes room without telling.
- Bits flip, sectors die: only the rows they hit are lost; `read_segment` counts them, the loader
  quarantines the file. Recovery quarantines an open segment without one whole frame, unless it looks like a
  first commit cut short, which it removes.
- The clock steps back: ids go on rising from the last one known.
- Two workers want one folder: the second waits for the lock, then refuses to start.
- A worker is gone for good: `recover` takes the lock without waiting and makes its folder ready.
"""

from qrumb_server.spool.filesystem import DISK, AppendFile, DiskFileSystem, FileSystem, FolderEntry
from qrumb_server.spool.format import MAX_RECORD_BYTES
from qrumb_server.spool.quota import SpoolLimits
from qrumb_server.spool.reader import (
    Damage,
    Segment,
    SegmentRef,
    SpoolUsage,
    list_sealed,
    quarantine,
    read_segment,
    release,
    usage,
)
from qrumb_server.spool.recovery import RecoveryReport, recover
from qrumb_server.spool.writer import SpoolStats, SpoolWriter

__all__ = [
    "DISK",
    "MAX_RECORD_BYTES",
    "AppendFile",
    "Damage",
    "DiskFileSystem",
    "FileSystem",
    "FolderEntry",
    "RecoveryReport",
    "Segment",
    "SegmentRef",
    "SpoolLimits",
    "SpoolStats",
    "SpoolUsage",
    "SpoolWriter",
    "list_sealed",
    "quarantine",
    "read_segment",
    "recover",
    "release",
    "usage",
]
