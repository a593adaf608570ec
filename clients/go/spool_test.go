package qrumb

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// TestSender is a program that sends what it is told on standard input, for the cases of spool.yaml; its commands are in
// clients/cases/README.md.
func TestSender(t *testing.T) {
	text := os.Getenv("SENDER_SETTINGS")
	if text == "" {
		t.Skip("needs SENDER_SETTINGS: see clients/cases/README.md")
	}
	var settings settingsCase
	if err := yaml.Unmarshal([]byte(text), &settings); err != nil {
		t.Fatal(err)
	}
	client, err := FromEnv(WithSettings(settings.settings()))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("ready")
	input := bufio.NewScanner(os.Stdin)
	for number := 0; input.Scan(); fmt.Println("done") {
		words := strings.Fields(input.Text())
		limit, err := strconv.ParseFloat(words[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), seconds(limit))
		switch words[0] {
		case "send":
			number = sendMany(t, client, number, words)
		case "flush":
			fmt.Println(client.Flush(ctx) == nil)
		case "close":
			var left *UndeliveredError
			if err := client.Close(ctx); errors.As(err, &left) {
				fmt.Print("left")
				for _, event := range left.Events {
					fmt.Print(" ", IDOf(event))
				}
				fmt.Println()
			}
		}
		cancel()
	}
}

// sendMany sends so many, or for ever where it is 0; an id is printed when Send has returned.
func sendMany(t *testing.T, client *Client, number int, words []string) int {
	count, _ := strconv.Atoi(words[1])
	padding, _ := strconv.Atoi(words[2])
	session := map[string]string{"valid": "s"}[words[3]]
	for sent := 0; count == 0 || sent < count; sent++ {
		event, err := ServerEvent{
			SiteID: "spool", EventName: fmt.Sprintf("e%d", number), ScanSessionID: session,
			Properties: map[string]any{"p": strings.Repeat("x", padding)},
		}.Build()
		if err != nil {
			t.Fatal(err)
		}
		id, err := client.Send(context.Background(), event)
		if errors.Is(err, ErrQueueFull) {
			fmt.Println("refused")
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		number++
		fmt.Println("id", id)
	}
	return number
}

// TestSpoolOfOneProcess: two clients of a process share a folder, and neither takes the other's file.
func TestSpoolOfOneProcess(t *testing.T) {
	folder := t.TempDir()
	silent := OnFailure(func(Event, error) {})
	var clients []*Client
	for range 2 {
		client, err := New("grpc://127.0.0.1:1", WithSpoolDir(folder), silent)
		if err != nil {
			t.Fatal(err)
		}
		event, _ := ServerEvent{SiteID: "spool", EventName: "e", ScanSessionID: "s"}.Build()
		if _, err := client.Send(context.Background(), event); err != nil {
			t.Fatal(err)
		}
		clients = append(clients, client)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for _, client := range clients {
		if err := client.Close(ctx); err != nil || client.Counters().Waiting != 1 {
			t.Fatal(err, client.Counters())
		}
	}
	if _, err := New("grpc://127.0.0.1:1", WithSpoolDir("/dev/null/folder")); err == nil {
		t.Fatal("a folder that cannot be was taken")
	}
}
