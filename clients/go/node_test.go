package qrumb

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/qrumb/qrumb-go/qrumbv1"
)

// QRUMB_NODE is the grpc address of a running node, QRUMB_SITE one of its sites, and QRUMB_KEY a key of that site.

func TestNode(t *testing.T) {
	url := os.Getenv("QRUMB_NODE")
	if url == "" {
		t.Skip("needs QRUMB_NODE: the grpc address of a running node")
	}
	site, key := os.Getenv("QRUMB_SITE"), os.Getenv("QRUMB_KEY")
	type nodeStep struct {
		Kind       string
		Collect    map[string]any
		Send       []map[string]any
		Register   map[string]string
		Outcome    string
		Outcomes   []string
		Violations map[int][][2]string
	}
	type nodeCase struct {
		Name  string
		Steps []nodeStep
	}
	for _, c := range loadCases[nodeCase](t, "node") {
		t.Run(c.Name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			var receipts []*qrumbv1.EventReceipt
			client, err := New(url, WithKey(key), OnReceipt(func(receipt *qrumbv1.EventReceipt) { receipts = append(receipts, receipt) }))
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := client.Close(ctx); err != nil {
					t.Error(err)
				}
			}()
			build := func(kind string, input map[string]any) Event {
				input["site_id"] = site
				event, err := buildInput(t, kind, input)
				if err != nil {
					t.Fatal(err)
				}
				return event
			}
			for _, s := range c.Steps {
				receipts = nil
				outcomes := s.Outcomes
				switch {
				case s.Register != nil:
					session := &qrumbv1.ScanSession{
						SiteId: site, ScanSessionId: s.Register["scan_session_id"], QrCodeId: s.Register["qr_code_id"],
					}
					kept, err := client.RegisterScanSession(ctx, session)
					if err != nil || kept.GetQrCodeId() != s.Register["qr_code_id"] {
						t.Fatalf("%v, %v", kept, err)
					}
				case s.Collect != nil:
					receipt, err := client.Collect(ctx, build(s.Kind, s.Collect))
					if err != nil {
						t.Fatal(err)
					}
					receipts, outcomes = append(receipts, receipt), []string{s.Outcome}
				default:
					for _, input := range s.Send {
						if _, err := client.Send(ctx, build(s.Kind, input)); err != nil {
							t.Fatal(err)
						}
					}
					if err := client.Flush(ctx); err != nil {
						t.Fatal(err)
					}
				}
				checkVerdicts(t, receipts, outcomes, s.Violations)
			}
		})
	}
}

func checkVerdicts(t *testing.T, receipts []*qrumbv1.EventReceipt, outcomes []string, violations map[int][][2]string) {
	t.Helper()
	if len(receipts) != len(outcomes) {
		t.Fatalf("%d receipts, expected %d", len(receipts), len(outcomes))
	}
	for number, receipt := range receipts {
		if receipt.GetOutcome().String() != outcomes[number] {
			t.Errorf("event %d: %v", number, receipt)
		}
		var found [][2]string
		for _, violation := range receipt.GetViolations() {
			found = append(found, [2]string{violation.GetField(), violation.GetReason().String()})
		}
		expected := violations[number]
		if len(found) != len(expected) || slices.ContainsFunc(found, func(one [2]string) bool { return !slices.Contains(expected, one) }) {
			t.Errorf("event %d: violations %v, expected %v", number, found, expected)
		}
	}
}
