package qrumb

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/qrumb/qrumb-go/qrumbv1"
)

// The files that hold the clients of every language: see clients/cases/README.md.

// loadCases reads the cases of one file, which are in the form of T.
func loadCases[T any](t *testing.T, name string) []T {
	t.Helper()
	text, err := os.ReadFile("../cases/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	var cases []T
	if err := yaml.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) == 0 {
		t.Fatalf("%s has no cases", name)
	}
	return cases
}

func TestHashes(t *testing.T) {
	type vector struct {
		Name, Kind, Input, Hash, Extra string
		Refused                        bool
	}
	for _, c := range loadCases[vector](t, "hashes") {
		t.Run(c.Name, func(t *testing.T) {
			hashed, err := EmailHash(c.Input)
			if c.Kind == "phone" {
				hashed, err = PhoneHash(c.Input)
			}
			if c.Refused || c.Extra == "decides" {
				c.Hash = ""
			}
			if (err == nil) != (c.Hash != "") || hashed != c.Hash {
				t.Fatalf("%q, %v", hashed, err)
			}
			if c.Extra == "decides" && !strings.Contains(err.Error(), "qrumb-go/phone") {
				t.Fatalf("%v does not name what decides it", err)
			}
			if err != nil && strings.TrimSpace(c.Input) != "" && strings.Contains(err.Error(), strings.TrimSpace(c.Input)) {
				t.Fatal("the error quotes the input")
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	type vector struct {
		Name, URL, Target, Key, Refused string
		TLS                             bool
		Environment                     *map[string]string
	}
	for _, c := range loadCases[vector](t, "addresses") {
		t.Run(c.Name, func(t *testing.T) {
			make := func() (*Client, error) { return New(c.URL, WithKey(c.Key)) }
			if c.Environment != nil {
				for _, name := range []string{"QRUMB_URL", "QRUMB_KEY"} {
					t.Setenv(name, (*c.Environment)[name])
				}
				make = func() (*Client, error) { return FromEnv() }
			}
			client, err := make()
			if c.Refused != "" {
				if err == nil || (err.Error() != "qrumb: "+c.Refused && err.Error() != "qrumb: url: "+c.Refused) {
					t.Fatalf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = client.Close(context.Background()) }()
			if client.address.target != c.Target || client.address.isSecure != c.TLS || client.key != c.Key {
				t.Errorf("%+v", client.address)
			}
		})
	}
}

func TestEventIDs(t *testing.T) {
	type vector struct {
		Name, ID, Refused string
		EventName         string `yaml:"event_name"`
		Key               string
	}
	for _, c := range loadCases[vector](t, "event_ids") {
		t.Run(c.Name, func(t *testing.T) {
			id, err := EventIDFor(c.EventName, c.Key)
			if id != c.ID || (err != nil) != (c.Refused != "") {
				t.Fatalf("%q, %v", id, err)
			}
			if err != nil && !strings.Contains(err.Error(), c.Refused) {
				t.Fatalf("%v does not name %s", err, c.Refused)
			}
		})
	}
}

type buildCase struct {
	Name, Kind, Wire, Refused, Needs string
	Input                            map[string]any
	JSON                             map[string]any `yaml:"json"`
}

func TestEvents(t *testing.T) {
	for _, c := range loadCases[buildCase](t, "events") {
		t.Run(c.Name, func(t *testing.T) {
			event, err := buildInput(t, c.Kind, c.Input)
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(c.JSON)
			if err != nil {
				t.Fatal(err)
			}
			expected := event.ProtoReflect().New().Interface()
			if err := protojson.Unmarshal(text, expected); err != nil {
				t.Fatal(err)
			}
			if !proto.Equal(event, expected) {
				t.Errorf("%v\nis not\n%v", event, expected)
			}
			wire, err := proto.MarshalOptions{Deterministic: true}.Marshal(event)
			if err != nil {
				t.Fatal(err)
			}
			if found := base64.StdEncoding.EncodeToString(wire); found != c.Wire {
				t.Errorf("bytes %s, expected %s", found, c.Wire)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range loadCases[buildCase](t, "refusals") {
		t.Run(c.Name, func(t *testing.T) {
			if c.Needs == "naive_time" {
				t.Skip("a time.Time always has a zone")
			}
			_, err := buildInput(t, c.Kind, c.Input)
			if err == nil || !strings.Contains(err.Error(), c.Refused) {
				t.Fatalf("%v does not name %s", err, c.Refused)
			}
			for _, name := range []string{"email", "phone"} {
				if raw, given := c.Input[name].(string); given && strings.Contains(err.Error(), raw) {
					t.Fatal("the error quotes the input")
				}
			}
		})
	}
}

func TestStatuses(t *testing.T) {
	type vector struct {
		Name, Grpc     string
		Delay, Retried bool
	}
	for _, c := range loadCases[vector](t, "statuses") {
		t.Run(c.Name, func(t *testing.T) {
			if c.Grpc == "" {
				t.Skip("of JSON over HTTP")
			}
			var code codes.Code
			if err := code.UnmarshalJSON([]byte(strconv.Quote(c.Grpc))); err != nil {
				t.Fatal(err)
			}
			if isRetried(code, c.Delay) != c.Retried {
				t.Fatal("decided otherwise")
			}
		})
	}
}

func TestBackoff(t *testing.T) {
	type vector struct {
		Name     string
		Settings settingsCase
		Attempt  int
		Random   float64
		Stated   float64
		Delay    float64
	}
	for _, c := range loadCases[vector](t, "backoff") {
		t.Run(c.Name, func(t *testing.T) {
			wait := backoff(c.Settings.settings(), c.Attempt, c.Random, seconds(c.Stated))
			if math.Abs(wait.Seconds()-c.Delay) > 1e-6 {
				t.Fatalf("%v", wait)
			}
		})
	}
}

func seconds(number float64) time.Duration { return time.Duration(number * float64(time.Second)) }

// buildInput makes an event of a case's arguments.
func buildInput(t *testing.T, kind string, input map[string]any) (Event, error) {
	t.Helper()
	text := func(name string) string {
		found, _ := input[name].(string)
		return found
	}
	fields := func(name string) map[string]any {
		found, _ := input[name].(map[string]any)
		return found
	}
	var moment time.Time
	if given := text("event_time"); given != "" {
		var err error
		if moment, err = time.Parse(time.RFC3339Nano, given); err != nil {
			t.Fatal(err)
		}
	}
	if kind == "browser" {
		return BrowserEvent{
			SiteID:        text("site_id"),
			EventID:       text("event_id"),
			EventTime:     moment,
			ScanSessionID: text("scan_session_id"),
			Consent:       Consent(text("consent")),
			EventType:     text("event_type"),
			PageURL:       text("page_url"),
			PageTitle:     text("page_title"),
			Referrer:      text("referrer"),
			Device:        buildDevice(t, fields("device")),
			Metadata:      fields("metadata"),
		}.Build()
	}
	return ServerEvent{
		SiteID:        text("site_id"),
		EventID:       text("event_id"),
		EventTime:     moment,
		ScanSessionID: text("scan_session_id"),
		Consent:       Consent(text("consent")),
		EventName:     text("event_name"),
		Email:         text("email"),
		Phone:         text("phone"),
		EmailHash:     text("email_hash"),
		PhoneHash:     text("phone_hash"),
		ExternalID:    text("external_id"),
		Amount:        buildAmount(t, input["amount"]),
		Currency:      text("currency"),
		Properties:    fields("properties"),
		ClientIP:      text("client_ip"),
		UserAgent:     text("user_agent"),
	}.Build()
}

func buildAmount(t *testing.T, given any) *float64 {
	t.Helper()
	var amount float64
	switch given := given.(type) {
	case nil:
		return nil
	case int:
		amount = float64(given)
	case float64:
		amount = given
	case string:
		var err error
		if amount, err = strconv.ParseFloat(given, 64); err != nil {
			t.Fatal(err)
		}
	default:
		t.Fatalf("%T is not an amount", given)
	}
	return &amount
}

func buildDevice(t *testing.T, fields map[string]any) *qrumbv1.Device {
	t.Helper()
	if fields == nil {
		return nil
	}
	text, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	device := &qrumbv1.Device{}
	if err := protojson.Unmarshal(text, device); err != nil {
		t.Fatal(err)
	}
	return device
}
