// A checkout that reports its purchases to qrumb, with the Go client: `go run .`, then
//
//	curl http://127.0.0.1:8001/checkout -d '{"items": ["vase"], "session": "scan-1", "email": "ada@example.com"}'
//
// QRUMB_URL and QRUMB_KEY say where qrumb is.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"github.com/google/uuid"
	qrumb "github.com/qrumb/qrumb-go"
	"github.com/qrumb/qrumb-go/qrumbv1"
)

// stopTime is for open requests and for events that wait.
const stopTime = 10 * time.Second

var cents = map[string]int{"bowl": 3400, "cup": 1850, "vase": 4990}

type checkout struct{ client *qrumb.Client }

type basket struct {
	Items          []string
	Session, Email string
}

type order struct {
	Number string  `json:"number"`
	Amount float64 `json:"amount"`
}

func (c checkout) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var asked basket
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 10_000)).Decode(&asked); err != nil {
		http.Error(w, "no basket", http.StatusBadRequest)
		return
	}
	sum := 0
	for _, item := range asked.Items {
		sum += cents[item]
	}
	sold := order{Number: fmt.Sprintf("A-%06d", rand.IntN(1_000_000)), Amount: float64(sum) / 100}
	// The purchase stands whatever becomes of its event.
	if err := c.report(r.Context(), sold, asked); err != nil {
		log.Printf("order %s is not reported: %v", sold.Number, err)
	}
	w.Header().Set("content-type", "application/json")
	_ = json.NewEncoder(w).Encode(sold)
}

// report queues the purchase. The order's number names the event: reported twice, it counts once.
func (c checkout) report(ctx context.Context, sold order, asked basket) error {
	if asked.Session == "" {
		return nil // it belongs to no QR code
	}
	event, err := qrumb.ServerEvent{
		SiteID:        "demo",
		EventID:       uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://shop.example/orders/"+sold.Number)).String(),
		ScanSessionID: asked.Session,
		EventName:     "purchase",
		Consent:       qrumb.Granted,
		Amount:        &sold.Amount,
		Currency:      "EUR",
		Email:         asked.Email, // hashed here
		Properties:    map[string]any{"order": sold.Number, "items": asked.Items},
	}.Build()
	if err != nil {
		return err
	}
	_, err = c.client.Send(ctx, event)
	return err
}

func logRejected(receipt *qrumbv1.EventReceipt) {
	if receipt.GetOutcome() == qrumbv1.EventReceipt_REJECTED {
		log.Printf("event %s is wrong: %v", receipt.GetEventId(), receipt.GetViolations())
	}
}

func run(address string) error {
	settings := qrumb.DefaultSettings()
	settings.WhenFull = qrumb.Fail // a buyer does not wait for being counted
	client, err := qrumb.FromEnv(qrumb.WithSettings(settings), qrumb.OnReceipt(logRejected))
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Printf("checkout: http://%s\n", listener.Addr())
	mux := http.NewServeMux()
	mux.Handle("POST /checkout", checkout{client})
	server := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	select {
	case err := <-served:
		return err
	case <-stop.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	return errors.Join(server.Shutdown(ctx), client.Close(ctx))
}

func main() {
	address := flag.String("listen", "127.0.0.1:8001", "where")
	flag.Parse()
	if err := run(*address); err != nil {
		log.Fatal(err)
	}
}
