package qrumb_test

import (
	"context"
	"fmt"
	"os"

	qrumb "github.com/qrumb/qrumb-go"
	"github.com/qrumb/qrumb-go/qrumbv1"
)

// The README's example. It is compiled always, and run against a node where TestNode has one.
func example(ctx context.Context) error {
	client, err := qrumb.FromEnv(qrumb.OnReceipt(func(receipt *qrumbv1.EventReceipt) {
		fmt.Println(receipt.GetOutcome())
	}))
	if err != nil {
		return err
	}
	amount := 49.90
	event, err := qrumb.ServerEvent{
		SiteID: "demo", ScanSessionID: "scan-1", EventName: "purchase", Amount: &amount, Currency: "EUR",
		Email: "ada@example.com", // hashed here; the address never leaves the process
	}.Build()
	if err != nil {
		return err
	}
	if _, err = client.Send(ctx, event); err != nil {
		return err
	}
	return client.Close(ctx) // flushes; an *UndeliveredError has what is left
}

func Example() {
	url := os.Getenv("QRUMB_NODE")
	if url == "" {
		fmt.Println("ACCEPTED") // no node here
		return
	}
	if err := os.Setenv("QRUMB_URL", url); err != nil {
		panic(err)
	}
	if err := example(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output: ACCEPTED
}
