package qrumb

import (
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/qrumb/qrumb-go/qrumbv1"
)

// kind is one of the kinds of events; each has batches of its own.
type kind int

const (
	serverKind kind = iota
	browserKind
	scanKind
	kinds
)

// queuedEvent is an event as it will be sent: its bytes, so that what the caller does to its message later changes
// nothing. number is its place in the order of sending.
type queuedEvent struct {
	kind     kind
	eventID  string
	payload  []byte
	queuedAt time.Time
	number   int
	place    place
}

// frameBytes are the tag and the length of an event within a batch.
const frameBytes = 4

func (q *queuedEvent) size() int { return len(q.payload) + frameBytes }

// event is the message as it was when it was sent.
func (q *queuedEvent) event() Event {
	event := q.kind.empty()
	if err := proto.Unmarshal(q.payload, event); err != nil {
		panic("qrumb: bytes of our own are not an event: " + err.Error())
	}
	return event
}

// empty is a message of that kind.
func (k kind) empty() Event {
	switch k {
	case browserKind:
		return &qrumbv1.BrowserEvent{}
	case scanKind:
		return &qrumbv1.ScanSession{}
	default:
		return &qrumbv1.ServerEvent{}
	}
}

type batch []*queuedEvent

// encode is the bytes of a batch request: field 1 of each has the events.
func (b batch) encode() []byte {
	size := 0
	for _, queued := range b {
		size += queued.size() + frameBytes
	}
	encoded := make([]byte, 0, size)
	for _, queued := range b {
		encoded = protowire.AppendTag(encoded, 1, protowire.BytesType)
		encoded = protowire.AppendBytes(encoded, queued.payload)
	}
	return encoded
}

func (b batch) events() []Event {
	events := make([]Event, len(b))
	for index, queued := range b {
		events[index] = queued.event()
	}
	return events
}

// lane holds the waiting events of one kind.
type lane struct {
	events batch
	size   int
}

// buffer is the bounded queue with its batches, free of goroutines, clocks and I/O. What was put stays in it until
// settle, which its answer or the end of the client causes.
type buffer struct {
	settings      Settings
	lanes         [kinds]lane
	underWay      batch
	events, bytes int
	lastNumber    int
	urgentThrough int
}

func newBuffer(settings Settings) *buffer {
	return &buffer{settings: settings, lastNumber: -1, urgentThrough: -1}
}

// admits says whether there is room for an event of so many bytes; an empty queue has room for any.
func (b *buffer) admits(size int) bool {
	return b.events == 0 || (b.events < b.settings.MaxQueueEvents && b.bytes+size <= b.settings.MaxQueueBytes)
}

// admitsAll says whether there is room for so many; an empty queue has room for any.
func (b *buffer) admitsAll(more batch) bool {
	size := 0
	for _, queued := range more {
		size += queued.size()
	}
	return b.events == 0 ||
		(b.events+len(more) <= b.settings.MaxQueueEvents && b.bytes+size <= b.settings.MaxQueueBytes)
}

// put adds an event for which there is room; it says whether the sender has to look at its clock again.
func (b *buffer) put(queued *queuedEvent) bool {
	b.lastNumber++
	queued.number = b.lastNumber
	lane := &b.lanes[queued.kind]
	lane.events = append(lane.events, queued)
	lane.size += queued.size()
	b.events++
	b.bytes += queued.size()
	return len(lane.events) == 1 || b.isFull(lane)
}

// makeUrgent makes everything that waits now due at once.
func (b *buffer) makeUrgent() { b.urgentThrough = b.lastNumber }

// dueAt is when the next batch is due; false while nothing waits.
func (b *buffer) dueAt() (time.Time, bool) {
	var first time.Time
	found := false
	for index := range b.lanes {
		lane := &b.lanes[index]
		if len(lane.events) == 0 {
			continue
		}
		if due := b.laneDueAt(lane); !found || due.Before(first) {
			first, found = due, true
		}
	}
	return first, found
}

// take is the next batch if one is due, else nil. It is under way until it is settled.
func (b *buffer) take(now time.Time) batch {
	var next *lane
	for index := range b.lanes {
		lane := &b.lanes[index]
		if len(lane.events) == 0 || b.laneDueAt(lane).After(now) {
			continue
		}
		if next == nil || lane.events[0].number < next.events[0].number {
			next = lane
		}
	}
	if next == nil {
		return nil
	}
	b.underWay = b.cut(next)
	return b.underWay
}

// settle says that these have their answer: the batch under way, or what comes first of it.
func (b *buffer) settle(settled batch) {
	b.events -= len(settled)
	for _, queued := range settled {
		b.bytes -= queued.size()
	}
	b.underWay = b.underWay[len(settled):]
}

// takeAll is everything, in the order of sending; it is settled by that.
func (b *buffer) takeAll() batch {
	all := b.unsettled()
	b.lanes = [kinds]lane{}
	b.underWay, b.events, b.bytes = nil, 0, 0
	return all
}

// unsettled is everything without an answer, in the order of sending.
func (b *buffer) unsettled() batch {
	all := slices.Clone(b.underWay)
	for index := range b.lanes {
		all = append(all, b.lanes[index].events...)
	}
	slices.SortFunc(all, func(one, other *queuedEvent) int { return one.number - other.number })
	return all
}

// isSettled says whether every event up to that number has its answer.
func (b *buffer) isSettled(number int) bool {
	if len(b.underWay) > 0 && b.underWay[0].number <= number {
		return false
	}
	for index := range b.lanes {
		if events := b.lanes[index].events; len(events) > 0 && events[0].number <= number {
			return false
		}
	}
	return true
}

func (b *buffer) isFull(lane *lane) bool {
	return len(lane.events) >= b.settings.MaxBatchEvents || lane.size >= b.settings.MaxBatchBytes
}

func (b *buffer) laneDueAt(lane *lane) time.Time {
	head := lane.events[0]
	if b.isFull(lane) || head.number <= b.urgentThrough {
		return head.queuedAt
	}
	return head.queuedAt.Add(b.settings.MaxBatchDelay)
}

func (b *buffer) cut(lane *lane) batch {
	count, size := 0, 0
	for count < len(lane.events) && count < b.settings.MaxBatchEvents {
		next := lane.events[count].size()
		if count > 0 && size+next > b.settings.MaxBatchBytes {
			break
		}
		size += next
		count++
	}
	taken := slices.Clone(lane.events[:count])
	lane.events = slices.Delete(lane.events, 0, count)
	lane.size -= size
	return taken
}
