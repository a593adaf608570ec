// Command generator sends calls of a template to one server and says how many went wrong.
//
// The template (standard input) is the bytes of one call, protobuf or JSON. Wherever it holds the mark, the digits that
// follow are replaced, so that each event of each call has an id of its own; nothing is encoded anew. What a call then
// costs the generator is little beside what it costs the server, which shares the machine with it.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// digits of an id that a generator sets, after the mark.
const digits = 12

// callTimeout is far above what any call takes: a server that hangs ends the run.
const callTimeout = 60 * time.Second

type options struct {
	protocol, target, method string
	mark                     string
	calls, atOnce            int
	connections              int
	first                    int64
	rate                     float64
	headers                  headers
}

// headers are given as name=value, several times.
type headers map[string]string

func (h headers) String() string { return "" }

func (h headers) Set(text string) error {
	name, value, found := strings.Cut(text, "=")
	if !found {
		return fmt.Errorf("%q is no name=value", text)
	}
	h[name] = value
	return nil
}

// report is what the program prints, as JSON.
type report struct {
	Seconds          float64 `json:"seconds"`
	ProcessorSeconds float64 `json:"processor_seconds"`
	// Latencies of the calls in order of length, in milliseconds, each from the moment at which its call was due; of a rate.
	Latencies []float64 `json:"latencies"`
}

// raw passes the bytes of messages on as they are, under the name of the usual codec.
type raw struct{}

func (raw) Name() string                        { return "proto" }
func (raw) Marshal(message any) ([]byte, error) { return message.([]byte), nil }
func (raw) Unmarshal(data []byte, message any) error {
	*message.(*[]byte) = bytes.Clone(data)
	return nil
}

// a sender makes one call.
type sender func(body []byte) error

// sendersOfGRPC are one for each connection: workers that share a port are given connections, not calls.
func sendersOfGRPC(of options) ([]sender, error) {
	made := make([]sender, of.connections)
	fields := metadata.New(of.headers)
	for place := range made {
		connection, err := grpc.NewClient(of.target, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})), grpc.WithUserAgent(of.headers["user-agent"]))
		if err != nil {
			return nil, err
		}
		made[place] = func(body []byte) error {
			ctx, cancel := context.WithTimeout(metadata.NewOutgoingContext(context.Background(), fields), callTimeout)
			defer cancel()
			var answer []byte
			return connection.Invoke(ctx, of.method, body, &answer)
		}
	}
	return made, nil
}

func senderOfJSON(of options) sender {
	client := &http.Client{
		Timeout:   callTimeout,
		Transport: &http.Transport{MaxIdleConnsPerHost: of.atOnce, DisableCompression: true},
	}
	return func(body []byte) error {
		request, err := http.NewRequest(http.MethodPost, of.target+of.method, bytes.NewReader(body))
		if err != nil {
			return err
		}
		request.Header.Set("content-type", "application/json")
		for name, value := range of.headers {
			request.Header.Set(name, value)
		}
		answer, err := client.Do(request)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err == nil && answer.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %.500s", answer.Status, text)
		}
		return err
	}
}

// placesOf the digits that are to be replaced.
func placesOf(template, mark []byte) []int {
	var places []int
	for from := 0; ; {
		found := bytes.Index(template[from:], mark)
		if found < 0 {
			return places
		}
		from += found + len(mark)
		places = append(places, from)
	}
}

// run makes all calls, each by the caller that is free next, and returns their latencies where they have a rate.
func run(of options, template []byte, senders []sender) ([]float64, error) {
	places := placesOf(template, []byte(of.mark))
	if len(places) == 0 {
		return nil, fmt.Errorf("the template has no %q", of.mark)
	}
	var (
		taken     atomic.Int64
		callers   sync.WaitGroup
		once      sync.Once
		failure   error
		latencies []float64
	)
	if of.rate > 0 {
		latencies = make([]float64, of.calls)
	}
	started := time.Now()
	for number := range of.atOnce {
		callers.Go(func() {
			send, body := senders[number%len(senders)], bytes.Clone(template)
			for {
				call := taken.Add(1) - 1
				if call >= int64(of.calls) {
					return
				}
				for place, offset := range places {
					id := of.first + call*int64(len(places)) + int64(place)
					copy(body[offset:], fmt.Appendf(nil, "%0*x", digits, id))
				}
				due := started
				if of.rate > 0 {
					due = started.Add(time.Duration(float64(call) / of.rate * float64(time.Second)))
					time.Sleep(time.Until(due))
				}
				if err := send(body); err != nil {
					once.Do(func() { failure = err })
					taken.Store(int64(of.calls))
					return
				}
				if latencies != nil {
					latencies[call] = float64(time.Since(due)) / float64(time.Millisecond)
				}
			}
		})
	}
	callers.Wait()
	slices.Sort(latencies)
	return latencies, failure
}

func parse() options {
	of := options{headers: headers{}}
	flag.StringVar(&of.protocol, "protocol", "grpc", "grpc or json")
	flag.StringVar(&of.target, "target", "", "host:port, or the beginning of a URL")
	flag.StringVar(&of.method, "method", "", "/package.Service/Method, or a path")
	flag.StringVar(&of.mark, "mark", "", "what stands before the digits of an id")
	flag.IntVar(&of.calls, "calls", 1, "how many")
	flag.IntVar(&of.atOnce, "at-once", 1, "how many are under way")
	flag.IntVar(&of.connections, "connections", 1, "of gRPC; JSON has one for each call that is under way")
	flag.Float64Var(&of.rate, "rate", 0, "calls a second; 0: as many as are answered")
	flag.Int64Var(&of.first, "first", 0, "the number of the first id")
	flag.Var(of.headers, "header", "name=value, any number of times")
	flag.Parse()
	return of
}

func main() {
	log.SetFlags(0)
	of := parse()
	template, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	senders := []sender{senderOfJSON(of)}
	if of.protocol == "grpc" {
		if senders, err = sendersOfGRPC(of); err != nil {
			log.Fatal(err)
		}
	}
	started := time.Now()
	latencies, err := run(of, template, senders)
	if err != nil {
		log.Fatal(err)
	}
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		log.Fatal(err)
	}
	processor := time.Duration(used.Utime.Nano() + used.Stime.Nano())
	json.NewEncoder(os.Stdout).Encode(report{time.Since(started).Seconds(), processor.Seconds(), latencies})
}
