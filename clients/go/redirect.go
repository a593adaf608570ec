package qrumb

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/qrumb/qrumb-go/qrumbv1"
)

// SessionParameter is where the tag and the middlewares look for the session in a landing's address.
const SessionParameter = "qrs"

const longestCode = 128

var (
	siteIDForm      = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	destinationForm = regexp.MustCompile(`^(?i:https?)://[!-~]+$`)
	// A browser's guess is not a visit, and what it fetched early it would show later: the tap must come here itself.
	earlyHeaders = []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"}
	early        = []string{"prefetch", "prerender", "preview"}
)

// RedirectConfig is what a Redirect is made of.
type RedirectConfig struct {
	// Client registers the scans, in the background.
	Client interface{ Offer(Event) bool }
	SiteID string
	// Secret signs the sessions (`qrumb sites session-secret`); what carries them needs the same one.
	Secret string
	// Destinations are URLs by QR code, which is a GTIN of 14 digits for GS1 Digital Links.
	Destinations map[string]string
}

// Redirect answers the requests that scans make: a scan becomes a session, and its visitor is sent on at once. Where to
// stands in the caller's own table; no answer waits for the collector or depends on it.
type Redirect struct {
	config RedirectConfig
}

// Scan is what is known of a request.
type Scan struct {
	// Code is one of the table, or the path of a GS1 Digital Link.
	Code   string
	Header http.Header
	// Method is of the request; empty: GET. HEAD is answered like GET and is not a scan.
	Method string
	// Query is as it came, without its ?; it is forwarded.
	Query string
	// ClientIP is the visitor's address, not a proxy's; it gives country and city and is dropped.
	ClientIP string
	// Consent is the visitor's, where it is known already.
	Consent Consent
	// Labels are what is known of the code, such as its campaign or its print run.
	Labels map[string]any
}

// ScanOf is the scan of a request; behind a proxy its ClientIP is to be replaced.
func ScanOf(code string, request *http.Request) Scan {
	host, _, err := net.SplitHostPort(request.RemoteAddr)
	if err != nil {
		host = request.RemoteAddr
	}
	return Scan{Code: code, Header: request.Header, Method: request.Method, Query: request.URL.RawQuery, ClientIP: host}
}

// RedirectAnswer is what to answer. Session is the scan's signed id; empty where nothing was counted.
type RedirectAnswer struct {
	Status  int
	Header  http.Header
	Session string
}

// Write answers a request with it.
func (a RedirectAnswer) Write(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.Header)
	w.WriteHeader(a.Status)
}

// NewRedirect refuses what cannot work; the error names the field, and the code.
func NewRedirect(config RedirectConfig) (*Redirect, error) {
	if !siteIDForm.MatchString(config.SiteID) {
		return nil, errors.New("site_id has 1 to 64 characters of A-Z, a-z, 0-9, _ and -")
	}
	if config.Secret == "" {
		return nil, errors.New("secret is empty: anybody could make up sessions")
	}
	for code, destination := range config.Destinations {
		if code == "" || len([]rune(code)) > longestCode {
			return nil, fmt.Errorf("destinations: the code %q has not 1 to %d characters", code, longestCode)
		}
		parsed, err := url.Parse(destination)
		if err != nil || parsed.Hostname() == "" || !destinationForm.MatchString(destination) {
			return nil, fmt.Errorf("destinations: the URL of %q is not absolute, http or https, and of ASCII", code)
		}
	}
	config.Destinations = maps.Clone(config.Destinations)
	return &Redirect{config: config}, nil
}

// Answer is what the address of a QR code answers; a scan is registered in the background.
func (r *Redirect) Answer(scan Scan) RedirectAnswer {
	code, labels := scan.Code, scan.Labels
	if _, listed := r.config.Destinations[code]; !listed {
		if gtin, found, isLink := readDigitalLink(code); isLink {
			maps.Copy(found, labels)
			code, labels = gtin, found
		}
	}
	destination, listed := r.config.Destinations[code]
	method := cmp.Or(scan.Method, http.MethodGet)
	switch {
	case method != http.MethodGet && method != http.MethodHead:
		return answered(http.StatusMethodNotAllowed, "Allow", "GET, HEAD")
	case !listed:
		return answered(http.StatusNotFound, "", "")
	case isEarly(scan.Header):
		return answered(http.StatusServiceUnavailable, "", "")
	}
	landing := withQuery(destination, forwarded(scan.Query))
	if method == http.MethodHead {
		return answered(http.StatusFound, "Location", landing)
	}
	session := NewEventID()
	session += "." + signature(r.config.Secret, r.config.SiteID, session)
	made := scan.message(method, labels)
	made.SiteId, made.ScanSessionId, made.QrCodeId, made.LandingPageUrl = r.config.SiteID, session, code, landing
	r.config.Client.Offer(made)
	answer := answered(http.StatusFound, "Location", withQuery(landing, SessionParameter+"="+session))
	answer.Session = session
	return answer
}

// message is what the request says of its visitor. What only a mistake of the program can be costs its field, and is
// logged: the visitor is sent on all the same.
func (s Scan) message(method string, labels map[string]any) *qrumbv1.ScanSession {
	consent, err1 := buildConsent(s.Consent)
	built, err2 := buildStruct("labels", labels, 1)
	if err := errors.Join(err1, err2); err != nil {
		slog.Error("qrumb: a scan is registered without what is wrong", "error", err)
	}
	agent := text(s.Header, "User-Agent") // that there was none is said too: programs have none
	made := &qrumbv1.ScanSession{
		ScanTime:      buildTime(time.Time{}),
		Consent:       consent,
		ClientIp:      s.ClientIP,
		UserAgent:     &agent,
		RequestMethod: method,
		Referrer:      text(s.Header, "Referer"),
		Labels:        built,
	}
	hints := &qrumbv1.ClientHints{
		Brands:   text(s.Header, "Sec-Ch-Ua"),
		Mobile:   text(s.Header, "Sec-Ch-Ua-Mobile"),
		Platform: text(s.Header, "Sec-Ch-Ua-Platform"),
	}
	if hints.Brands != "" || hints.Mobile != "" || hints.Platform != "" {
		made.ClientHints = hints
	}
	return made
}

// answered is an answer that no copy gives in our stead, and that no search engine keeps.
func answered(status int, name, value string) RedirectAnswer {
	header := http.Header{"Cache-Control": {"private, no-store"}, "X-Robots-Tag": {"noindex"}}
	if name != "" {
		header.Set(name, value)
	}
	return RedirectAnswer{Status: status, Header: header}
}

func isEarly(header http.Header) bool {
	isBetween := func(letter rune) bool { return strings.ContainsRune(";, \t", letter) }
	for _, name := range earlyHeaders {
		tokens := strings.FieldsFunc(strings.ToLower(header.Get(name)), isBetween)
		if slices.ContainsFunc(tokens, func(token string) bool { return slices.Contains(early, token) }) {
			return true
		}
	}
	return false
}

// text is a header as a message can hold it.
func text(header http.Header, name string) string {
	return strings.ToValidUTF8(header.Get(name), "\uFFFD")
}

// forwarded is the query as it may stand in a header, without a session that a third party put there.
func forwarded(query string) string {
	const safe = "-._~!$&'()*+,;=:@/?%"
	var encoded strings.Builder
	for _, octet := range []byte(query) {
		isPlain := octet >= 'a' && octet <= 'z' || octet >= 'A' && octet <= 'Z' || octet >= '0' && octet <= '9'
		if isPlain || strings.IndexByte(safe, octet) >= 0 {
			encoded.WriteByte(octet)
		} else {
			fmt.Fprintf(&encoded, "%%%02X", octet)
		}
	}
	pairs := slices.DeleteFunc(strings.Split(encoded.String(), "&"), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		decoded, err := url.QueryUnescape(name)
		return pair == "" || err == nil && decoded == SessionParameter
	})
	return strings.Join(pairs, "&")
}

func withQuery(address, query string) string {
	if query == "" {
		return address
	}
	whole, fragment, hasFragment := strings.Cut(address, "#")
	path, own, _ := strings.Cut(whole, "?")
	if own != "" && !strings.HasSuffix(own, "&") {
		own += "&"
	}
	whole = path + "?" + own + query
	if hasFragment {
		whole += "#" + fragment
	}
	return whole
}
