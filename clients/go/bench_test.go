package qrumb

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"
)

// For bench/clients.py, against a real node (QRUMB_NODE).

const (
	benchSite     = "bench"
	batchedEvents = 30_000
	singleEvents  = 500
)

func benchEvent(b *testing.B, number int, site string) Event {
	b.Helper()
	amount := 49.90
	event, err := ServerEvent{
		SiteID:        site,
		EventName:     "purchase",
		ScanSessionID: fmt.Sprintf("scan-%d", number%997),
		Amount:        &amount,
		Currency:      "EUR",
		ExternalID:    fmt.Sprintf("u-%d", number),
		Properties:    map[string]any{"order": fmt.Sprintf("A-%d", number), "items": 3, "campaign": "autumn"},
	}.Build()
	if err != nil {
		b.Fatal(err)
	}
	return event
}

func processorTime() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// measure reports the work on so many events; it is done once, whatever b.N says.
func measure(b *testing.B, events int, work func(context.Context, *Client)) {
	url := os.Getenv("QRUMB_NODE")
	if url == "" {
		b.Skip("needs QRUMB_NODE: the grpc address of a running node")
	}
	client, err := New(url, WithSpoolDir(os.Getenv("QRUMB_SPOOL_DIR")))
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	started, processor := time.Now(), processorTime()
	work(ctx, client)
	wall, processor := time.Since(started), processorTime()-processor
	if err := client.Close(ctx); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(events)/wall.Seconds(), "events/s")
	b.ReportMetric(float64(processor.Microseconds())/float64(events), "cpu-µs/event")
}

func BenchmarkBuild(b *testing.B) {
	measure(b, batchedEvents, func(context.Context, *Client) {
		for number := range batchedEvents {
			benchEvent(b, number, benchSite)
		}
	})
}

func BenchmarkBatches(b *testing.B) {
	measure(b, batchedEvents, func(ctx context.Context, client *Client) {
		for number := range batchedEvents {
			if _, err := client.Send(ctx, benchEvent(b, number, benchSite)); err != nil {
				b.Fatal(err)
			}
		}
		if err := client.Flush(ctx); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkSingle(b *testing.B) {
	measure(b, singleEvents, func(ctx context.Context, client *Client) {
		for number := range singleEvents {
			if _, err := client.Collect(ctx, benchEvent(b, number, benchSite)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkAway sends an event every 10 ms until the file QRUMB_AWAY_OVER is there, then the rest.
func BenchmarkAway(b *testing.B) {
	url, site, over := os.Getenv("QRUMB_NODE"), os.Getenv("QRUMB_AWAY_SITE"), os.Getenv("QRUMB_AWAY_OVER")
	if site == "" {
		b.Skip("needs bench/clients.py")
	}
	client, err := New(url)
	if err != nil {
		b.Fatal(err)
	}
	for {
		if _, err := os.Stat(over); err == nil {
			break
		}
		if _, err := client.Send(context.Background(), benchEvent(b, client.Counters().Sent, site)); err != nil {
			b.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	started := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_ = client.Close(ctx)
	counters := client.Counters()
	fmt.Printf("\nAWAY %d %d %d %.1f\n", counters.Sent, counters.Accepted, counters.Failed, time.Since(started).Seconds())
}
