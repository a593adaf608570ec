package qrumb

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/qrumb/qrumb-go/qrumbv1"
)

// Without hooks, where no server listens: what is left, where to and why.
func TestSilenceIsSaid(t *testing.T) {
	var logged bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&logged, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	client, err := New("grpc://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, err := client.Send(ctx, &qrumbv1.ServerEvent{SiteId: "demo", EventName: "lead", ScanSessionId: "s"}); err != nil {
		t.Fatal(err)
	}
	err = client.Close(ctx)
	var undelivered *UndeliveredError
	if !errors.As(err, &undelivered) || undelivered.Count != 1 || len(undelivered.Events) != 1 {
		t.Fatalf("%v", err)
	}
	if !regexp.MustCompile(`^qrumb: 1 event not delivered to grpc://127\.0\.0\.1:1: .*refused`).MatchString(err.Error()) {
		t.Error(err)
	}
	client.report.tried(errors.New("connection refused"), 3, time.Millisecond)
	client.report.tried(errors.New("connection refused"), 3, silence)
	client.report.tried(errors.New("connection refused"), 3, silence)
	client.report.answered()
	if said := logged.String(); strings.Count(said, "qrumb: no answer") != 1 || !strings.Contains(said, "answers again") {
		t.Error(said)
	}
}
