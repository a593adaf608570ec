package qrumb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/qrumb/qrumb-go/qrumbv1"
)

// QRUMB_FRONT is the line that `python -m tests.support.client_front` prints.

type settingsCase struct {
	MaxBatchEvents int     `yaml:"max_batch_events"`
	MaxBatchBytes  int     `yaml:"max_batch_bytes"`
	MaxBatchDelay  float64 `yaml:"max_batch_delay"`
	MaxQueueEvents int     `yaml:"max_queue_events"`
	MaxQueueBytes  int     `yaml:"max_queue_bytes"`
	WhenFull       string  `yaml:"when_full"`
	CallTimeout    float64 `yaml:"call_timeout"`
	FirstBackoff   float64 `yaml:"first_backoff"`
	MaxBackoff     float64 `yaml:"max_backoff"`
}

func (c settingsCase) settings() Settings {
	settings := DefaultSettings()
	settings.MaxBatchEvents = given(c.MaxBatchEvents, settings.MaxBatchEvents)
	settings.MaxBatchBytes = given(c.MaxBatchBytes, settings.MaxBatchBytes)
	settings.MaxBatchDelay = given(seconds(c.MaxBatchDelay), settings.MaxBatchDelay)
	settings.MaxQueueEvents = given(c.MaxQueueEvents, settings.MaxQueueEvents)
	settings.MaxQueueBytes = given(c.MaxQueueBytes, settings.MaxQueueBytes)
	settings.CallTimeout = given(seconds(c.CallTimeout), settings.CallTimeout)
	settings.FirstBackoff = given(seconds(c.FirstBackoff), settings.FirstBackoff)
	settings.MaxBackoff = given(seconds(c.MaxBackoff), settings.MaxBackoff)
	if c.WhenFull == "error" {
		settings.WhenFull = Fail
	}
	return settings
}

func given[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

type step struct {
	Send        *int
	Offer       int
	Lost        int
	Wait        *float64
	Flush       *float64
	Close       *float64
	Server      string
	Kind        string
	Padding     int
	EventID     string `yaml:"event_id"`
	Error       string
	Blocks      *float64
	Answer      *bool
	Undelivered int
}

type deliveryCase struct {
	Name     string
	Key      string
	Settings settingsCase
	Steps    []step
	Expect   struct {
		Calls          *[][]int
		CallsAtLeast   int `yaml:"calls_at_least"`
		Events         []int
		Gaps           [][3]float64
		Accepted       int
		Rejected       int
		Failed         int
		Retried        int
		RetriedAtLeast int `yaml:"retried_at_least"`
		Receipts       map[int]string
		Failures       []int
		Authorization  string
	}
}

type arrivedCall struct {
	Time   float64
	Events []struct {
		EventID string `json:"event_id"`
		Name    string
	}
	Authorization string
}

// run is one case under way.
type run struct {
	t        *testing.T
	c        deliveryCase
	client   *Client
	control  string
	siteID   string
	ids      []string
	closed   bool
	beside   chan string
	blocked  int
	mutex    sync.Mutex
	receipts []*qrumbv1.EventReceipt
	failures []string
}

func TestDelivery(t *testing.T) { runFile(t, "delivery") }

func TestScans(t *testing.T) { runFile(t, "scans") }

func runFile(t *testing.T, file string) {
	words := strings.Fields(os.Getenv("QRUMB_FRONT"))
	if len(words) != 5 {
		t.Skip("needs QRUMB_FRONT: the line of `python -m tests.support.client_front`")
	}
	var alone []deliveryCase
	t.Run("parallel", func(t *testing.T) {
		for _, c := range loadCases[deliveryCase](t, file) {
			if slices.ContainsFunc(c.Steps, func(s step) bool { return s.Server != "" }) {
				alone = append(alone, c)
				continue
			}
			t.Run(c.Name, func(t *testing.T) {
				t.Parallel() // they mostly wait
				runDelivery(t, c, words[1], words[4])
			})
		}
	})
	for _, c := range alone {
		t.Run(c.Name, func(t *testing.T) { runDelivery(t, c, words[1], words[4]) })
	}
}

func runDelivery(t *testing.T, c deliveryCase, url, control string) {
	r := &run{t: t, c: c, control: control, beside: make(chan string, 1)}
	r.siteID = fmt.Sprintf("%s.%s", c.Name, uuid.NewString()[:8])
	var err error
	r.client, err = New(url, WithSettings(c.Settings.settings()), WithKey(c.Key), OnReceipt(r.onReceipt), OnFailure(r.onFailure))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		_ = r.client.Close(ctx)
	}()
	for _, s := range c.Steps {
		r.step(s)
	}
	for range r.blocked {
		select {
		case id := <-r.beside:
			r.ids = append(r.ids, id)
		case <-time.After(60 * time.Second):
			t.Fatal("a send did not return")
		}
	}
	if !r.closed {
		ten := 10.0
		r.step(step{Close: &ten})
	}
	r.check()
}

func (r *run) onReceipt(receipt *qrumbv1.EventReceipt) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.receipts = append(r.receipts, receipt)
}

func (r *run) onFailure(event Event, _ error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.failures = append(r.failures, IDOf(event))
}

func (r *run) step(s step) {
	r.t.Helper()
	switch {
	case s.Send != nil:
		r.send(s)
	case s.Offer > 0:
		for number := range s.Offer {
			event := r.event(s, len(r.ids))
			if taken := r.client.Offer(event); taken != (number < s.Offer-s.Lost) {
				r.t.Errorf("offer %d: %v", number, taken)
			}
			r.ids = append(r.ids, IDOf(event))
		}
	case s.Wait != nil:
		time.Sleep(seconds(*s.Wait))
	case s.Flush != nil:
		ctx, cancel := context.WithTimeout(context.Background(), seconds(*s.Flush))
		defer cancel()
		expected := s.Answer == nil || *s.Answer
		if err := r.client.Flush(ctx); (err == nil) != expected {
			r.t.Fatalf("flush: %v", err)
		}
	case s.Close != nil:
		r.closed = true
		ctx, cancel := context.WithTimeout(context.Background(), seconds(*s.Close))
		defer cancel()
		var left *UndeliveredError
		undelivered := 0
		if err := r.client.Close(ctx); errors.As(err, &left) {
			undelivered = len(left.Events)
		} else if err != nil {
			r.t.Fatal(err)
		}
		if undelivered != s.Undelivered {
			r.t.Fatalf("%d undelivered, expected %d", undelivered, s.Undelivered)
		}
	case s.Server != "":
		answer, err := http.Post(r.control+"/"+s.Server, "text/plain", nil)
		if err != nil {
			r.t.Fatal(err)
		}
		_ = answer.Body.Close()
	default:
		r.t.Fatalf("unknown step %+v", s)
	}
}

func (r *run) send(s step) {
	r.t.Helper()
	ctx := context.Background()
	for number := range *s.Send {
		event := r.event(s, len(r.ids)+r.blocked)
		last := number == *s.Send-1
		switch {
		case last && s.Error != "":
			expected := map[string]error{"queue_full": ErrQueueFull, "closed": ErrClosed}[s.Error]
			if _, err := r.client.Send(ctx, event); !errors.Is(err, expected) {
				r.t.Fatalf("%v, expected %v", err, expected)
			}
		case last && s.Blocks != nil:
			r.blocked++
			go func() {
				id, _ := r.client.Send(ctx, event)
				r.beside <- id
			}()
			select {
			case <-r.beside:
				r.t.Fatal("send should have waited")
			case <-time.After(seconds(*s.Blocks)):
			}
		default:
			id, err := r.client.Send(ctx, event)
			if err != nil {
				r.t.Fatal(err)
			}
			r.ids = append(r.ids, id)
		}
	}
}

func (r *run) event(s step, number int) Event {
	r.t.Helper()
	name := "e" + strconv.Itoa(number)
	var padding map[string]any
	if s.Padding > 0 {
		padding = map[string]any{"p": strings.Repeat("x", s.Padding)}
	}
	var event Event
	var err error
	switch s.Kind {
	case "scan":
		event = &qrumbv1.ScanSession{SiteId: r.siteID, ScanSessionId: NewEventID(), QrCodeId: name}
	case "browser":
		event, err = BrowserEvent{SiteID: r.siteID, EventType: name, ScanSessionID: "s", EventID: s.EventID, Metadata: padding}.Build()
	default:
		event, err = ServerEvent{SiteID: r.siteID, EventName: name, ScanSessionID: "s", EventID: s.EventID, Properties: padding}.Build()
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return event
}

func (r *run) arrived() []arrivedCall {
	r.t.Helper()
	answer, err := http.Get(r.control + "/calls/" + r.siteID)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var calls []arrivedCall
	if err := json.NewDecoder(answer.Body).Decode(&calls); err != nil {
		r.t.Fatal(err)
	}
	return calls
}

func (r *run) check() {
	r.t.Helper()
	expect := r.c.Expect
	calls := r.arrived()
	numbers := [][]int{}
	var first []int
	for _, call := range calls {
		if expect.Authorization != "" && call.Authorization != expect.Authorization {
			r.t.Errorf("authorization is %q", call.Authorization)
		}
		var events []int
		for _, event := range call.Events {
			number, _ := strconv.Atoi(event.Name[1:])
			events = append(events, number)
			if !slices.Contains(first, number) {
				first = append(first, number)
			}
			if event.EventID != r.ids[number] {
				r.t.Errorf("event %d arrived as %s, sent as %s", number, event.EventID, r.ids[number])
			}
		}
		numbers = append(numbers, events)
	}
	if expect.Calls != nil && !reflect.DeepEqual(numbers, *expect.Calls) {
		r.t.Errorf("calls %v, expected %v", numbers, *expect.Calls)
	}
	if len(calls) < expect.CallsAtLeast {
		r.t.Errorf("%d calls", len(calls))
	}
	if expect.Events != nil && !slices.Equal(first, expect.Events) {
		r.t.Errorf("events %v, expected %v", first, expect.Events)
	}
	for _, gap := range expect.Gaps {
		index := int(gap[0])
		if wait := calls[index].Time - calls[index-1].Time; wait < gap[1] || wait > gap[2] {
			r.t.Errorf("%v s before call %d", wait, index)
		}
	}
	r.checkCounters()
	r.checkReports()
}

func (r *run) checkCounters() {
	r.t.Helper()
	expect := r.c.Expect
	found := r.client.Counters()
	expected := Counters{Sent: len(r.ids), Accepted: expect.Accepted, Rejected: expect.Rejected, Failed: expect.Failed, Retried: expect.Retried}
	if expect.RetriedAtLeast > 0 && found.Retried >= expect.RetriedAtLeast {
		expected.Retried = found.Retried
	}
	if found != expected {
		r.t.Errorf("counters %+v, expected %+v", found, expected)
	}
	if found.Sent != found.Accepted+found.Rejected+found.Failed {
		r.t.Errorf("an event without a fate: %+v", found)
	}
}

func (r *run) checkReports() {
	r.t.Helper()
	expect := r.c.Expect
	for _, id := range r.ids {
		if parsed, err := uuid.Parse(id); err != nil || parsed.Version() != 7 {
			r.t.Errorf("%s is not a UUIDv7", id)
		}
	}
	if expect.Receipts != nil {
		found := map[int]string{}
		last := -1
		for _, receipt := range r.receipts {
			number := slices.Index(r.ids, receipt.GetEventId())
			found[number] = receipt.GetOutcome().String()
			if number < last {
				r.t.Errorf("receipt of %d after that of %d", number, last)
			}
			last = number
		}
		if !reflect.DeepEqual(found, expect.Receipts) {
			r.t.Errorf("receipts %v", found)
		}
	}
	var failures []int
	for _, id := range r.failures {
		failures = append(failures, slices.Index(r.ids, id))
	}
	if !slices.Equal(failures, expect.Failures) {
		r.t.Errorf("failures %v, expected %v", failures, expect.Failures)
	}
}
