package qrumb

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
)

// The files of a folder are the same in every language; clients/python/qrumb/spool.py has their layout.
const (
	spoolHeader   = "qrumb-1\n"
	spoolFrame    = 8
	spoolAnswered = 4
	// lookAgain: listing a folder costs little; reading again what found no room costs more.
	lookAgain   = time.Minute
	tryAgain    = time.Second
	spoolSuffix = ".qrumb"
)

// spoolFile is an open file with a lock on it; size is where its next record goes, live counts its events without answer.
type spoolFile struct {
	path   string
	handle *os.File
	size   int64
	live   int
}

// place is where an event is kept; without a file it is in memory alone.
type place struct {
	file   *spoolFile
	offset int64
}

// held are the files of this process: its locks are not locks against itself, and closing a file loses them.
var held sync.Map

// spool is the folder in which what is queued survives its sender: each client writes a file of its own, with a lock on it,
// and sends what is in files without one. All calls are made under the client's mutex.
type spool struct {
	folder   string
	limit    int64
	buffer   *buffer
	own      *spoolFile
	files    map[*spoolFile]struct{}
	nextLook time.Time
	said     time.Time
	inMemory int
}

// openSpool makes the folder where it is missing, for the owner alone.
func openSpool(folder string, limit int64, buffer *buffer) (*spool, error) {
	if !hasLocks {
		return nil, errors.New("qrumb: spool dir: this system has no locks of files as POSIX has them; leave it out")
	}
	err := os.MkdirAll(folder, 0o700)
	if err == nil {
		folder, err = filepath.Abs(folder)
	}
	if err == nil {
		folder, err = filepath.EvalSymlinks(folder)
	}
	if err == nil {
		err = checkWritable(folder)
	}
	if err != nil {
		return nil, fmt.Errorf("qrumb: spool dir: cannot be used: %w", err)
	}
	return &spool{folder: folder, limit: limit, buffer: buffer, files: map[*spoolFile]struct{}{}}, nil
}

// keep writes an event; where that fails it waits in memory alone, which is logged.
func (s *spool) keep(queued *queuedEvent) {
	var err error
	own := s.own
	if own == nil {
		own, err = s.create()
	} else if own.size > s.limit {
		own, err = s.renew(own)
	}
	if err == nil {
		s.own = own
		var offset int64
		if offset, err = own.append(eventBody(queued)); err == nil {
			queued.place = place{own, offset}
			own.live++
			return
		}
	}
	s.inMemory++
	if time.Since(s.said) >= betweenLines {
		s.said = time.Now()
		slog.Error("qrumb: the folder cannot be written", "folder", s.folder, "events_in_memory_alone", s.inMemory, "error", err)
	}
}

// settle says that these have their answer, and leave the folder.
func (s *spool) settle(settled batch) {
	through := map[*spoolFile]int64{}
	for _, queued := range settled {
		if file := queued.place.file; file != nil {
			file.live--
			through[file] = queued.place.offset
			queued.place = place{}
		}
	}
	for file, offset := range through {
		if file.live > 0 {
			mark := []byte{spoolAnswered, settled[0].kind.code()}
			// Where it cannot be written they are sent again: duplicates, no more.
			_, _ = file.append(binary.LittleEndian.AppendUint64(mark, uint64(offset)))
		} else if file == s.own {
			file.size = int64(len(spoolHeader))
			_ = file.handle.Truncate(file.size)
		} else {
			s.remove(file)
		}
	}
}

// adopt hands over the events of files without a lock; take says whether there was room for those of a file.
func (s *spool) adopt(take func(batch) bool) {
	wait := lookAgain
	entries, _ := os.ReadDir(s.folder) // sorted, so that the oldest is the first
	for _, entry := range entries {
		if filepath.Ext(entry.Name()) != spoolSuffix {
			continue
		}
		file := s.locked(filepath.Join(s.folder, entry.Name()))
		if file == nil {
			continue
		}
		events, isOurs := file.read()
		switch {
		case !isOurs:
			s.letGo(file)
		case len(events) == 0:
			s.remove(file)
		case take(events):
			file.live = len(events)
			s.files[file] = struct{}{}
		default:
			s.letGo(file)
			wait = tryAgain
		}
	}
	s.nextLook = time.Now().Add(wait)
}

// close leaves what has no answer to the next client; nothing else stays.
func (s *spool) close() {
	for file := range s.files {
		if file.live > 0 {
			s.letGo(file)
		} else {
			s.remove(file)
		}
	}
}

func (s *spool) create() (*spoolFile, error) {
	for {
		var chance [4]byte
		_, _ = rand.Read(chance[:])
		name := fmt.Sprintf("%012x-%s%s", time.Now().UnixMilli(), hex.EncodeToString(chance[:]), spoolSuffix)
		path := filepath.Join(s.folder, name)
		made, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return nil, err
		}
		_ = made.Close()
		// Until it has its lock, another client may take it for one that was left, and remove it.
		if file := s.locked(path); file != nil {
			if err := file.write([]byte(spoolHeader)); err != nil {
				s.remove(file)
				return nil, err
			}
			s.files[file] = struct{}{}
			return file, nil
		}
	}
}

// renew makes a file with what waits in the old one, which is removed.
func (s *spool) renew(old *spoolFile) (*spoolFile, error) {
	renewed, err := s.create()
	if err != nil {
		return nil, err
	}
	var moved batch
	var offsets []int64
	for _, queued := range s.buffer.unsettled() {
		if queued.place.file != old {
			continue
		}
		offset, err := renewed.append(eventBody(queued))
		if err != nil {
			s.remove(renewed)
			return nil, err
		}
		moved, offsets = append(moved, queued), append(offsets, offset)
	}
	for index, queued := range moved {
		queued.place = place{renewed, offsets[index]}
	}
	renewed.live = len(moved)
	s.remove(old)
	return renewed, nil
}

// locked is the file with its lock; nil where it is another's, or gone.
func (s *spool) locked(path string) *spoolFile {
	if _, isHeld := held.LoadOrStore(path, s); isHeld {
		return nil
	}
	handle, err := os.OpenFile(path, os.O_RDWR, 0)
	if err == nil {
		if err = lock(handle); err == nil {
			_, err = os.Stat(path) // else it was removed by the one that had the lock
		}
		if err == nil {
			return &spoolFile{path: path, handle: handle}
		}
		_ = handle.Close()
	}
	held.Delete(path)
	return nil
}

func (s *spool) letGo(file *spoolFile) {
	_ = file.handle.Close()
	delete(s.files, file)
	held.Delete(file.path)
}

func (s *spool) remove(file *spoolFile) {
	if file == s.own {
		s.own = nil
	}
	_ = os.Remove(file.path)
	s.letGo(file)
}

// append writes a record; it says where that begins.
func (f *spoolFile) append(body []byte) (int64, error) {
	offset := f.size
	record := binary.LittleEndian.AppendUint32(make([]byte, 0, spoolFrame+len(body)), uint32(len(body)))
	record = binary.LittleEndian.AppendUint32(record, crc32.ChecksumIEEE(body))
	return offset, f.write(append(record, body...))
}

// write writes all of it or nothing, at the end of the file.
func (f *spoolFile) write(content []byte) error {
	if _, err := f.handle.WriteAt(content, f.size); err != nil {
		_ = f.handle.Truncate(f.size)
		return err
	}
	f.size += int64(len(content))
	return nil
}

// read is the events of a file that have no answer; false where the file is not of this form, and is left as it is. What is
// damaged is left out and logged.
func (f *spoolFile) read() (batch, bool) {
	content, err := io.ReadAll(io.NewSectionReader(f.handle, 0, 1<<62))
	if err != nil || !bytes.HasPrefix(content, []byte(spoolHeader)) {
		if err == nil && bytes.HasPrefix([]byte(spoolHeader), content) {
			return nil, true // its client ended when it was made
		}
		slog.Error("qrumb: no file of this version's: left as it is", "file", f.path)
		return nil, false
	}
	var events batch
	answered := [kinds]int64{-1, -1, -1}
	damaged := 0
	f.size = int64(len(spoolHeader))
	for rest := content[f.size:]; len(rest) > spoolFrame; rest = content[f.size:] {
		length, checksum := int64(binary.LittleEndian.Uint32(rest)), binary.LittleEndian.Uint32(rest[4:])
		if length == 0 || spoolFrame+length > int64(len(rest)) {
			break
		}
		offset, body := f.size, rest[spoolFrame:spoolFrame+length]
		f.size += spoolFrame + length
		if crc32.ChecksumIEEE(body) != checksum {
			damaged++
		} else if body[0] == spoolAnswered && len(body) == 10 && body[1] >= 1 && body[1] <= byte(kinds) {
			answered[body[1]-1] = int64(binary.LittleEndian.Uint64(body[2:]))
		} else if queued := restored(body); queued != nil {
			queued.place = place{f, offset}
			events = append(events, queued)
		} else {
			damaged++
		}
	}
	if torn := int64(len(content)) - f.size; torn > 0 {
		slog.Warn("qrumb: the file ends with no whole record, which is left out", "file", f.path, "bytes", torn)
	}
	if damaged > 0 {
		slog.Error("qrumb: damaged records are left out", "file", f.path, "records", damaged)
	}
	return slices.DeleteFunc(events, func(queued *queuedEvent) bool {
		return queued.place.offset <= answered[queued.kind]
	}), true
}

// restored is an event out of a record's body; nil where that is none.
func restored(body []byte) *queuedEvent {
	if body[0] < 1 || body[0] > byte(kinds) {
		return nil
	}
	queued := &queuedEvent{kind: kind(body[0] - 1), payload: slices.Clone(body[1:]), queuedAt: time.Now()}
	event := queued.kind.empty()
	if proto.Unmarshal(queued.payload, event) != nil {
		return nil
	}
	queued.eventID = IDOf(event)
	return queued
}

func eventBody(queued *queuedEvent) []byte {
	return append([]byte{queued.kind.code()}, queued.payload...)
}

// code is what a record says of its kind.
func (k kind) code() byte { return byte(k) + 1 }

// divided is what is in the folder, and what is in memory alone.
func (b batch) divided() (kept, left batch) {
	for _, queued := range b {
		if queued.place.file != nil {
			kept = append(kept, queued)
		} else {
			left = append(left, queued)
		}
	}
	return kept, left
}
