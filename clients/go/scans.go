package qrumb

import (
	"context"
	"regexp"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/qrumb/qrumb-go/qrumbv1"
)

// Offer queues an event if there is room this very moment; it never waits. An event that was not taken has failed: it is
// counted so, and the hook of OnFailure is called with it, here in the caller's goroutine. It says whether it was taken.
func (c *Client) Offer(event Event) bool {
	queued, err := freeze(event)
	c.mutex.Lock()
	if err == nil && !c.closing && c.buffer.admits(queued.size()) {
		c.put(queued)
		c.mutex.Unlock()
		return true
	}
	c.counters.Sent++
	c.counters.Failed++
	switch {
	case err != nil:
	case c.closing:
		err = ErrClosed
	default:
		err = ErrQueueFull
	}
	c.mutex.Unlock()
	c.report.lost(event, err)
	return false
}

// IDOf is the id of an event; that of a scan is its session's.
func IDOf(event Event) string {
	if scan, isScan := event.(*qrumbv1.ScanSession); isScan {
		return scan.GetScanSessionId()
	}
	if named, isNamed := event.(interface{ GetEventId() string }); isNamed {
		return named.GetEventId()
	}
	return ""
}

// isDivided says whether a batch is sent again in halves: scans are registered all or none, so one that breaks a rule is
// looked for until it is alone.
func (b batch) isDivided(failed *failure) bool {
	return failed != nil && failed.err.Code == codes.InvalidArgument && b[0].kind == scanKind && len(b) > 1
}

// registerScans sends a batch of scans once.
func (c *Client) registerScans(ctx context.Context, next batch, options ...grpc.CallOption) ([]*qrumbv1.EventReceipt, error) {
	request := &qrumbv1.BatchRegisterScanSessionsRequest{}
	request.ProtoReflect().SetUnknown(next.encode())
	answer, err := c.sessions.BatchRegisterScanSessions(c.outgoing(ctx), request, options...)
	return receiptsOf(answer), err
}

var ofAScan = regexp.MustCompile(`^scan_sessions\[(\d+)\]\.?`)

// receiptsOf makes a receipt that says ACCEPTED for each scan, with the warnings that concern it.
func receiptsOf(answer *qrumbv1.BatchRegisterScanSessionsResponse) []*qrumbv1.EventReceipt {
	var receipts []*qrumbv1.EventReceipt
	for _, scan := range answer.GetScanSessions() {
		receipts = append(receipts, &qrumbv1.EventReceipt{
			EventId: scan.GetScanSessionId(), Outcome: qrumbv1.EventReceipt_ACCEPTED,
		})
	}
	for _, warning := range answer.GetWarnings() {
		place := ofAScan.FindStringSubmatch(warning.GetField())
		if place == nil {
			continue
		}
		if index, err := strconv.Atoi(place[1]); err == nil && index < len(receipts) {
			own := proto.Clone(warning).(*qrumbv1.EventWarning)
			own.Field = own.Field[len(place[0]):]
			receipts[index].Warnings = append(receipts[index].Warnings, own)
		}
	}
	return receipts
}
