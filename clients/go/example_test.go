package qrumb_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	qrumb "github.com/qrumb/qrumb-go"
	"github.com/qrumb/qrumb-go/qrumbv1"
)

// The README's example. It is compiled always, and run against a node where TestNode has one.
func example(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	client, err := qrumb.FromEnv(qrumb.OnReceipt(func(r *qrumbv1.EventReceipt) { fmt.Println(r.GetOutcome()) }))
	if err != nil {
		return err
	}
	event, err := qrumb.ServerEvent{SiteID: "demo", ScanSessionID: "scan-1", EventName: "purchase", Amount: new(49.90),
		Currency: "EUR", Email: "ada@example.com"}.Build() // hashed here; the address never leaves the process
	if err == nil {
		_, err = client.Send(ctx, event)
	}
	return errors.Join(err, client.Close(ctx)) // flushes; an *UndeliveredError has what is left
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

// The example of docs/redirect.md.
func redirects(client *qrumb.Client, secret string) (http.Handler, error) {
	redirect, err := qrumb.NewRedirect(qrumb.RedirectConfig{
		Client: client, SiteID: "demo", Secret: secret,
		Destinations: map[string]string{"poster-7": "https://shop.example/"},
	})
	if err != nil {
		return nil, err
	}
	routes := http.NewServeMux()
	routes.HandleFunc("/q/{code}", func(w http.ResponseWriter, request *http.Request) {
		redirect.Answer(qrumb.ScanOf(request.PathValue("code"), request)).Write(w)
	})

	carry, err := qrumb.NewCarry(qrumb.CarryConfig{
		SiteID: "demo", Secrets: []string{secret},
		Consent: func(request *http.Request) qrumb.Consent {
			if cookie, err := request.Cookie("consent"); err == nil {
				return qrumb.Consent(cookie.Value)
			}
			return qrumb.Pending
		},
	})
	if err != nil {
		return nil, err
	}
	routes.HandleFunc("POST /checkout", func(w http.ResponseWriter, request *http.Request) {
		if session := qrumb.CurrentSession(request.Context()); session != "" {
			event, err := qrumb.ServerEvent{SiteID: "demo", EventName: "purchase", ScanSessionID: session}.Build()
			if err == nil {
				client.Offer(event)
			}
		}
	})
	return carry.Handler(routes), nil
}

func ExampleRedirect() {
	client, err := qrumb.New("grpc://127.0.0.1:9", qrumb.OnFailure(func(qrumb.Event, error) {}))
	if err != nil {
		panic(err)
	}
	routes, err := redirects(client, "a-secret")
	if err != nil {
		panic(err)
	}
	answered := httptest.NewRecorder()
	routes.ServeHTTP(answered, httptest.NewRequest(http.MethodGet, "/q/poster-7?utm=1", nil))
	landing, session, _ := strings.Cut(answered.Header().Get("Location"), "&qrs=")
	checkout := httptest.NewRequest(http.MethodPost, "/checkout?qrs="+session, nil)
	checkout.AddCookie(&http.Cookie{Name: "consent", Value: "granted"})
	routes.ServeHTTP(httptest.NewRecorder(), checkout)
	fmt.Println(answered.Code, landing, client.Counters().Sent)
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_ = client.Close(ctx)
	// Output: 302 https://shop.example/?utm=1 2
}
