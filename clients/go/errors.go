package qrumb

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
)

var (
	// ErrQueueFull: the queue is at its limit; the event was not taken.
	ErrQueueFull = errors.New("qrumb: the queue is full")
	// ErrClosed: the client is closed; the event was not taken.
	ErrClosed = errors.New("qrumb: the client is closed")
)

// FieldViolation is a rule that a request breaks, as the server said it.
type FieldViolation struct {
	Field, Reason, Description string
}

// DeliveryError says that the server refused a call for good, or gave no answer in the time that the caller had.
type DeliveryError struct {
	Code       codes.Code
	Message    string
	Violations []FieldViolation
}

func (e *DeliveryError) Error() string {
	return fmt.Sprintf("qrumb: %s: %s", e.Code, e.Message)
}

// UndeliveredError says that Close ran out of time, or that events had failed of which no hook was told. Events are those
// that were left at the end; they may be sent again, their ids make that harmless. Count includes those that had failed
// before.
type UndeliveredError struct {
	Events []Event
	Count  int
	URL    string
	// Cause is why the last call or event failed; nil where no call has ended.
	Cause error
}

func (e *UndeliveredError) Error() string {
	what := "1 event"
	if e.Count != 1 {
		what = fmt.Sprintf("%d events", e.Count)
	}
	if e.Cause == nil {
		return fmt.Sprintf("qrumb: %s not delivered to %s: no answer yet", what, e.URL)
	}
	return fmt.Sprintf("qrumb: %s not delivered to %s: %s", what, e.URL, e.Cause)
}

// Unwrap is the cause.
func (e *UndeliveredError) Unwrap() error { return e.Cause }
