package phone

import (
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/qrumb/qrumb-go"
)

// TestHashes takes the cases of clients/cases/hashes.yaml with this package; the client's own test is without it.
func TestHashes(t *testing.T) {
	text, err := os.ReadFile("../../cases/hashes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name, Kind, Input, Hash, Extra string
		Refused                        bool
	}
	if err := yaml.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			hashed, err := qrumb.EmailHash(c.Input)
			if c.Kind == "phone" {
				hashed, err = qrumb.PhoneHash(c.Input)
			}
			if c.Refused || c.Extra == "refuses" {
				c.Hash = ""
			}
			if (err == nil) != (c.Hash != "") || hashed != c.Hash {
				t.Fatalf("%q, %v", hashed, err)
			}
			if input := strings.TrimSpace(c.Input); err != nil && input != "" && strings.Contains(err.Error(), input) {
				t.Fatal("the error quotes the input")
			}
		})
	}
}
