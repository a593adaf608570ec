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

// UndeliveredError says that Close ran out of time. Its events have no answer; they may be sent again, their ids make
// that harmless.
type UndeliveredError struct {
	Events []Event
}

func (e *UndeliveredError) Error() string {
	return fmt.Sprintf("qrumb: %d events have no answer from the server", len(e.Events))
}
