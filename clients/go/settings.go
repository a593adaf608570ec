package qrumb

import (
	"errors"
	"fmt"
	"time"
)

// MaxBatchEvents is the contract's limit of one batch.
const MaxBatchEvents = 1000

// MaxBatchBytes is the contract's limit of one batch.
const MaxBatchBytes = 4 << 20

// WhenFull says what Send does while the queue is full.
type WhenFull int

const (
	// Block waits for room, or for the end of the context.
	Block WhenFull = iota
	// Fail returns ErrQueueFull.
	Fail
)

// Settings are limits and times of a client. Start from DefaultSettings.
type Settings struct {
	// MaxBatchEvents: a batch goes when it has so many events; 1 to 1,000.
	MaxBatchEvents int
	// MaxBatchBytes: or before one event more would make it larger than this; at most 4 MiB. A larger event goes alone.
	MaxBatchBytes int
	// MaxBatchDelay: or so long after its first event was queued.
	MaxBatchDelay time.Duration
	// MaxQueueEvents: events without an answer, those of the call under way included.
	MaxQueueEvents int
	// MaxQueueBytes: and their bytes. An event always fits into an empty queue.
	MaxQueueBytes int
	// WhenFull: what Send does then.
	WhenFull WhenFull
	// CallTimeout is the deadline of one call. Running out of it is tried again.
	CallTimeout time.Duration
	// FirstBackoff is the ceiling of the wait after the first failure; doubled by each that follows.
	FirstBackoff time.Duration
	// MaxBackoff is the ceiling of every wait, unless the server asks for more.
	MaxBackoff time.Duration
	// Gzip compresses calls. It costs CPU on both sides and saves about two thirds of the bytes on the line.
	Gzip bool
}

// DefaultSettings suit a backend.
func DefaultSettings() Settings {
	return Settings{
		MaxBatchEvents: 500,
		MaxBatchBytes:  1 << 20,
		MaxBatchDelay:  100 * time.Millisecond,
		MaxQueueEvents: 10_000,
		MaxQueueBytes:  32 << 20,
		CallTimeout:    10 * time.Second,
		FirstBackoff:   100 * time.Millisecond,
		MaxBackoff:     10 * time.Second,
	}
}

func (s Settings) check() error {
	var wrong []error
	if s.MaxBatchEvents < 1 || s.MaxBatchEvents > MaxBatchEvents {
		wrong = append(wrong, fmt.Errorf("MaxBatchEvents is 1 to %d", MaxBatchEvents))
	}
	if s.MaxBatchBytes < 1 || s.MaxBatchBytes > MaxBatchBytes {
		wrong = append(wrong, fmt.Errorf("MaxBatchBytes is 1 to %d", MaxBatchBytes))
	}
	if s.MaxQueueEvents < 1 || s.MaxQueueBytes < 1 || s.CallTimeout <= 0 || s.FirstBackoff <= 0 {
		wrong = append(wrong, errors.New("MaxQueueEvents, MaxQueueBytes, CallTimeout and FirstBackoff must be above 0"))
	}
	if s.MaxBatchDelay < 0 || s.MaxBackoff < s.FirstBackoff {
		wrong = append(wrong, errors.New("MaxBatchDelay must not be negative, MaxBackoff not below FirstBackoff"))
	}
	return errors.Join(wrong...)
}
