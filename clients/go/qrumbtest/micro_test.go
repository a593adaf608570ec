package qrumbtest

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/qrumb/qrumb-go"
)

// TestNode is what a program's own test does. QRUMB_COMMAND is the program.
func TestNode(t *testing.T) {
	if os.Getenv("QRUMB_COMMAND") == "" {
		t.Skip("needs QRUMB_COMMAND: where `qrumb` is")
	}
	node := Start(t)
	client, err := qrumb.New(node.GRPCURL)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	event, err := qrumb.BrowserEvent{
		SiteID: "demo", EventType: "pageview", Metadata: map[string]any{"sku": "A1"},
	}.Build()
	if err == nil {
		_, err = client.Send(ctx, event)
	}
	if err == nil {
		err = client.Close(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	node.Expect(30*time.Second, map[string]any{"event_type": "pageview", "metadata.sku": "A1"})
	if events := node.Events(); len(events) != 1 || events[0].Outcome != "ACCEPTED" || events[0].SiteID != "demo" {
		t.Fatal(events)
	}
	node.Reset()
	if events := node.Events(); len(events) != 0 {
		t.Fatal(events)
	}
}
