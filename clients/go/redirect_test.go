package qrumb

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/qrumb/qrumb-go/qrumbv1"
)

const (
	testSite   = "shop"
	testSecret = "a-secret"
	testDays   = 30 * 24 * time.Hour
)

// kept stands for a client, where what it is offered is the question.
type kept []*qrumbv1.ScanSession

func (k *kept) Offer(event Event) bool {
	*k = append(*k, event.(*qrumbv1.ScanSession))
	return true
}

type redirectCase struct {
	Name         string
	Destinations map[string]string
	Secret       *string
	Refused      string
	Request      struct {
		Code, Method, Query, Consent string
		ClientIP                     string `yaml:"client_ip"`
		Headers                      map[string]string
		Labels                       map[string]any
	}
	Expect struct {
		Status          int
		Location, Allow string
		Scan            map[string]any
	}
}

func TestRedirect(t *testing.T) {
	for _, c := range loadCases[redirectCase](t, "redirect") {
		t.Run(c.Name, func(t *testing.T) {
			scans := &kept{}
			config := RedirectConfig{Client: scans, SiteID: testSite, Secret: testSecret, Destinations: c.Destinations}
			if c.Secret != nil {
				config.Secret = *c.Secret
			}
			redirect, err := NewRedirect(config)
			if c.Refused != "" {
				if err == nil || !strings.Contains(err.Error(), c.Refused) {
					t.Fatalf("%v does not name %s", err, c.Refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			header := http.Header{}
			for name, value := range c.Request.Headers {
				header.Set(name, value)
			}
			answer := redirect.Answer(Scan{
				Code: c.Request.Code, Header: header, Method: c.Request.Method, Query: c.Request.Query,
				ClientIP: c.Request.ClientIP, Consent: Consent(c.Request.Consent), Labels: c.Request.Labels,
			})
			expected := http.Header{"Cache-Control": {"private, no-store"}, "X-Robots-Tag": {"noindex"}}
			for name, value := range map[string]string{"Location": c.Expect.Location, "Allow": c.Expect.Allow} {
				if value != "" {
					expected.Set(name, strings.ReplaceAll(value, "{session}", answer.Session))
				}
			}
			if answer.Status != c.Expect.Status || !reflect.DeepEqual(answer.Header, expected) {
				t.Errorf("%d %v, expected %d %v", answer.Status, answer.Header, c.Expect.Status, expected)
			}
			if counted := c.Expect.Scan != nil; counted != (len(*scans) == 1) || counted != (answer.Session != "") {
				t.Fatalf("%d scans, session %q", len(*scans), answer.Session)
			}
			for _, scan := range *scans {
				checkScan(t, scan, answer.Session, c.Expect.Scan)
			}
		})
	}
}

func checkScan(t *testing.T, scan *qrumbv1.ScanSession, session string, expected map[string]any) {
	t.Helper()
	name, err := uuid.Parse(session[:strings.LastIndexByte(session, '.')])
	if err != nil || name.Version() != 7 || !isSigned(testSecret, testSite, session) {
		t.Errorf("%s is not a signed UUIDv7", session)
	}
	text, err := json.Marshal(expected)
	if err != nil {
		t.Fatal(err)
	}
	wanted := &qrumbv1.ScanSession{}
	if err := protojson.Unmarshal(text, wanted); err != nil {
		t.Fatal(err)
	}
	if since := time.Since(scan.GetScanTime().AsTime()); since < 0 || since > time.Minute {
		t.Errorf("scanned %v ago", since)
	}
	wanted.SiteId, wanted.ScanSessionId, wanted.ScanTime = testSite, session, scan.GetScanTime()
	if found, expected := protojson.Format(scan), protojson.Format(wanted); found != expected {
		t.Errorf("%s\nis not\n%s", found, expected)
	}
}

func TestHeadersThatAreNoTextHarmNothing(t *testing.T) {
	scans := &kept{}
	redirect, err := NewRedirect(RedirectConfig{
		Client: scans, SiteID: testSite, Secret: testSecret, Destinations: map[string]string{"a": "https://shop.example/"},
	})
	if err != nil {
		t.Fatal(err)
	}
	request := httptest.NewRequest(http.MethodGet, "/q/a?x=1", nil)
	request.Header.Set("User-Agent", "Gruber \xff")
	recorder := httptest.NewRecorder()
	redirect.Answer(ScanOf("a", request)).Write(recorder)
	scan := (*scans)[0]
	if recorder.Code != http.StatusFound || scan.GetUserAgent() != "Gruber \uFFFD" || scan.GetClientIp() != "192.0.2.1" {
		t.Errorf("%d %v", recorder.Code, scan)
	}
	if _, err := freeze(scan); err != nil {
		t.Error(err)
	}
}

// madeSession is how a case has a session made.
type madeSession struct {
	Age          int
	Secret, Name string
	SiteID       string `yaml:"site_id"`
}

func (m *madeSession) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		return node.Decode(&m.Age)
	}
	type plain madeSession
	return node.Decode((*plain)(m))
}

func (m madeSession) session(t *testing.T) string {
	t.Helper()
	name := m.Name
	if name == "" {
		moment := time.Now().Add(-time.Duration(m.Age) * time.Second).UnixMilli()
		made := uuid.Must(uuid.NewV7())
		for index := range 6 {
			made[index] = byte(moment >> (8 * (5 - index)))
		}
		name = made.String()
	}
	secret, site := m.Secret, m.SiteID
	if secret == "" {
		secret = testSecret
	}
	if site == "" {
		site = testSite
	}
	session, err := SignScanSessionID(secret, site, name)
	if err != nil {
		t.Fatal(err)
	}
	return session
}

type carryCase struct {
	Name     string
	Sessions map[string]madeSession
	Steps    []struct {
		Query, Consent, Session string
		Cookie, Sent            *string
	}
}

func TestCarry(t *testing.T) {
	carry, err := NewCarry(CarryConfig{
		SiteID: testSite, Secrets: []string{testSecret, "the-older-secret"},
		Consent: func(request *http.Request) Consent { return Consent(request.Header.Get("X-Consent")) },
	})
	if err != nil {
		t.Fatal(err)
	}
	landing := http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		_, _ = io.WriteString(w, CurrentSession(request.Context()))
	})
	server := httptest.NewTLSServer(carry.Handler(landing))
	defer server.Close()
	for _, c := range loadCases[carryCase](t, "carry") {
		t.Run(c.Name, func(t *testing.T) {
			jar, err := cookiejar.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			browser := &http.Client{Transport: server.Client().Transport, Jar: jar}
			sessions := map[string]string{"": "", "deleted": ""}
			for name, made := range c.Sessions {
				sessions[name] = made.session(t)
			}
			filled := func(text string) string {
				for name, session := range sessions {
					text = strings.ReplaceAll(text, "{"+name+"}", session)
				}
				return text
			}
			for _, step := range c.Steps {
				request, err := http.NewRequest(http.MethodGet, server.URL, nil)
				if err != nil {
					t.Fatal(err)
				}
				request.URL.RawQuery = filled(step.Query)
				request.Header.Set("X-Consent", step.Consent)
				if step.Sent != nil {
					jar.SetCookies(&url.URL{Scheme: "https", Host: request.URL.Host, Path: "/"},
						[]*http.Cookie{{Name: "qrs", Value: filled(*step.Sent), Path: "/"}})
				}
				answer, err := browser.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(answer.Body)
				_ = answer.Body.Close()
				if err != nil || string(body) != sessions[step.Session] {
					t.Errorf("%+v: session %q, %v", step, body, err)
				}
				cookies := answer.Cookies()
				if (len(cookies) == 1) != (step.Cookie != nil) {
					t.Fatalf("%+v: cookies %v", step, cookies)
				}
				if step.Cookie != nil {
					checkCookie(t, cookies[0], sessions[*step.Cookie], c.Sessions[*step.Cookie].Age)
				}
			}
		})
	}
}

func checkCookie(t *testing.T, cookie *http.Cookie, value string, age int) {
	t.Helper()
	left := int(testDays.Seconds()) - age
	if value == "" {
		left = -1 // as Go reads Max-Age=0
	}
	isKept := cookie.Value == value && cookie.MaxAge <= left && cookie.MaxAge >= left-120
	if !isKept || cookie.Path != "/" || !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteLaxMode {
		t.Errorf("cookie %v", cookie)
	}
}

func TestNoRedirectFailsWhileTheNodeIsAway(t *testing.T) {
	settings := DefaultSettings()
	settings.MaxQueueEvents = 100
	told := map[string]error{}
	client, err := New("grpc://127.0.0.1:9", WithSettings(settings), OnFailure(func(event Event, err error) {
		told[IDOf(event)] = err
	}))
	if err != nil {
		t.Fatal(err)
	}
	redirect, err := NewRedirect(RedirectConfig{
		Client: client, SiteID: testSite, Secret: testSecret, Destinations: map[string]string{"a": "https://a.example/"},
	})
	if err != nil {
		t.Fatal(err)
	}
	answers := make([]RedirectAnswer, 500)
	for index := range answers {
		answers[index] = redirect.Answer(Scan{Code: "a"})
	}
	if failed := client.Counters().Failed; failed != 400 || len(told) != 400 {
		t.Errorf("%d failed, %d told", failed, len(told))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	var undelivered *UndeliveredError
	if err := client.Close(ctx); !errors.As(err, &undelivered) || len(undelivered.Events) != 100 {
		t.Errorf("%v", err)
	}
	for _, answer := range answers {
		if answer.Status != http.StatusFound || told[answer.Session] == nil {
			t.Fatalf("%+v was not told", answer)
		}
	}
	if late := redirect.Answer(Scan{Code: "a"}); late.Status != http.StatusFound || !errors.Is(told[late.Session], ErrClosed) {
		t.Errorf("%+v", late)
	}
}
