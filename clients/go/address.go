package qrumb

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

const (
	defaultURL = "grpc://127.0.0.1:9090"
	schemes    = "grpc, grpcs, http, https"
	maxPort    = 65535
)

// address is where calls go: target is host:port. What an address may be is the same in every client. No error quotes what
// it refuses: an address may have a key in it, and errors are logged.
type address struct {
	target   string
	isSecure bool
}

var (
	visible  = regexp.MustCompile(`\A[!-~]*\z`)
	hostForm = regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\])$`)
	portForm = regexp.MustCompile(`^[0-9]{1,5}$`)
)

// parseAddress reads grpc://host:port, grpcs://, http://, https:// or host:port. An error begins with name, which says where
// the address stands.
func parseAddress(text, name string) (address, error) {
	refused := func(why string) (address, error) { return address{}, errors.New("qrumb: " + name + ": " + why) }
	if text == "" {
		return refused("is empty")
	}
	if !visible.MatchString(text) {
		return refused("has a character that no address has; a name in other letters is written with xn--")
	}
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		scheme, rest = "grpc", text
	}
	isSecure, usualPort := false, ""
	switch strings.ToLower(scheme) {
	case "grpc": // has no usual port
	case "http":
		usualPort = "80"
	case "grpcs", "https":
		isSecure, usualPort = true, "443"
	default:
		return refused("has a scheme that is none of " + schemes)
	}
	authority, beyond := rest, ""
	if end := strings.IndexAny(rest, `/?#\`); end >= 0 {
		authority, beyond = rest[:end], rest[end:]
	}
	if strings.Contains(authority, "@") {
		return refused("has a user or a password in it; the key is a setting of its own")
	}
	if beyond != "" && beyond != "/" {
		return refused("has more than a scheme, a host and a port; calls have paths of their own")
	}
	target, err := targetOf(authority, usualPort)
	if err != nil {
		return refused(err.Error())
	}
	return address{target: target, isSecure: isSecure}, nil
}

// targetOf is host:port, with the usual port of the scheme where none is given.
func targetOf(authority, usualPort string) (string, error) {
	host, port, hasPort := authority, usualPort, false
	if end := strings.LastIndex(authority, ":"); end >= 0 && !strings.HasSuffix(authority, "]") {
		host, port, hasPort = authority[:end], authority[end+1:], true
	}
	if host == "" {
		return "", errors.New("has no host")
	}
	if !hostForm.MatchString(host) {
		return "", errors.New("has a host that is neither a name nor an IP address, IPv6 in brackets")
	}
	if !hasPort && port == "" {
		return "", errors.New("has no port; a node's own is 9090")
	}
	number, err := strconv.Atoi(port)
	if err != nil || !portForm.MatchString(port) || number < 1 || number > maxPort {
		return "", fmt.Errorf("has a port that is not 1 to %d", maxPort)
	}
	return host + ":" + strconv.Itoa(number), nil
}

// checkKey refuses a key that no header can carry.
func checkKey(key, name string) error {
	if visible.MatchString(key) {
		return nil
	}
	return errors.New("qrumb: " + name + ": has a character that no key has, such as a line feed")
}

// FromEnv makes a client whose address is QRUMB_URL (or grpc://127.0.0.1:9090), whose key is QRUMB_KEY, and whose folder is
// QRUMB_SPOOL_DIR. An empty variable is none.
func FromEnv(options ...Option) (*Client, error) {
	url, key := os.Getenv("QRUMB_URL"), os.Getenv("QRUMB_KEY")
	if url == "" {
		url = defaultURL
	} else if _, err := parseAddress(url, "QRUMB_URL"); err != nil {
		return nil, err
	}
	if err := checkKey(key, "QRUMB_KEY"); err != nil {
		return nil, err
	}
	return New(url, append([]Option{WithKey(key), WithSpoolDir(os.Getenv("QRUMB_SPOOL_DIR"))}, options...)...)
}
