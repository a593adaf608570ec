// Package qrumbtest starts `qrumb micro`, a node in one process, for the tests of what sends events.
package qrumbtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Node is a node under test. It ends with the test, and with the process at the latest.
type Node struct {
	// URL is that of JSON over HTTP.
	URL string
	// GRPCURL is that of gRPC, for QRUMB_URL.
	GRPCURL string

	t testing.TB
}

// Start runs `qrumb micro` (or the program that QRUMB_COMMAND names) and waits until it takes events.
func Start(t testing.TB) *Node {
	t.Helper()
	program := os.Getenv("QRUMB_COMMAND")
	if program == "" {
		program = "qrumb"
	}
	command := exec.Command(program, "micro", "--tied")
	command.Stderr = os.Stderr
	input, err := command.StdinPipe()
	if err != nil {
		t.Fatalf("qrumb micro: %v", err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatalf("qrumb micro: %v", err)
	}
	if err := command.Start(); err != nil {
		t.Fatalf("qrumb micro does not start: %v; pip install 'qrumb[testing]' brings it", err)
	}
	t.Cleanup(func() {
		_ = input.Close()
		_ = command.Wait()
	})
	line, err := bufio.NewReader(output).ReadString('\n')
	words := strings.Fields(line)
	if err != nil || len(words) != 3 || words[0] != "ready:" {
		t.Fatalf("qrumb micro ended before it was ready; its error is above")
	}
	return &Node{URL: words[1], GRPCURL: words[2], t: t}
}

// Expect waits until an event has these fields, and fails the test where none has them in time.
func (n *Node) Expect(within time.Duration, where map[string]any) {
	n.t.Helper()
	n.post("/test/expect", map[string]any{"where": where, "within": within.Seconds()})
}

// Event is one event and its verdict.
type Event struct {
	// Outcome is ACCEPTED or REJECTED.
	Outcome string
	EventID string `json:"event_id"`
	SiteID  string `json:"site_id"`
	// Violations have a field, a reason and a description each, Warnings a field, a code and a description.
	Violations, Warnings []map[string]string
	// Fields are an accepted event's columns, or what was sent of a rejected one.
	Fields map[string]any
}

// Events are all of them, in the order of the answers.
func (n *Node) Events() []Event {
	n.t.Helper()
	reply, err := http.Get(n.URL + "/test/events")
	if err != nil {
		n.t.Fatalf("the node does not answer: %v", err)
	}
	defer reply.Body.Close()
	var answer struct{ Events []Event }
	if err := json.NewDecoder(reply.Body).Decode(&answer); err != nil {
		n.t.Fatalf("/test/events: %v", err)
	}
	return answer.Events
}

// Reset forgets all events.
func (n *Node) Reset() {
	n.t.Helper()
	n.post("/test/reset", map[string]any{})
}

func (n *Node) post(path string, body map[string]any) {
	n.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		n.t.Fatal(err)
	}
	reply, err := http.Post(n.URL+path, "application/json", bytes.NewReader(text))
	if err != nil {
		n.t.Fatalf("the node does not answer: %v", err)
	}
	defer reply.Body.Close()
	var answer struct {
		Message string `json:"message"`
	}
	if err := json.NewDecoder(reply.Body).Decode(&answer); err != nil {
		n.t.Fatalf("%s: %v", path, err)
	}
	if reply.StatusCode != http.StatusOK {
		n.t.Fatal(fmt.Sprintf("%s: %s", path, answer.Message))
	}
}
