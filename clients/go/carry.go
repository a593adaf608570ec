package qrumb

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

const day = 24 * time.Hour

var (
	cookieForm = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	// sessionForm has nothing that a cookie could not hold as it is.
	sessionForm = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,128}$`)
)

// CarryConfig says how scans are carried from the landing to the sale.
type CarryConfig struct {
	SiteID string
	// Secrets are of the redirects; several while one is being replaced.
	Secrets []string
	// Consent is the visitor's for a request. Anything but Granted and Denied is as good as Pending.
	Consent func(*http.Request) Consent
	// Days are how long after its scan a session is carried; 0: 30.
	Days int
	// Cookie is its name; empty: qrs.
	Cookie string
	// Insecure lets the cookie go over HTTP too. Browsers make an exception for this machine anyway.
	Insecure bool
}

// Carry keeps the session of a landing in a cookie, as far as consent allows. The landing's address names it (qrs=), its
// signature says that a redirect of the site made it, and its UUIDv7 says when, so the cookie needs nothing else.
type Carry struct {
	config CarryConfig
	most   time.Duration
}

type sessionKey struct{}

// CurrentSession is the scan session that a request carries, for ServerEvent.ScanSessionID; empty: none.
func CurrentSession(ctx context.Context) string {
	session, _ := ctx.Value(sessionKey{}).(string)
	return session
}

// NewCarry refuses what cannot work; the error names the field.
func NewCarry(config CarryConfig) (*Carry, error) {
	config.Days, config.Cookie = cmp.Or(config.Days, 30), cmp.Or(config.Cookie, SessionParameter)
	switch {
	case len(config.Secrets) == 0 || slices.Contains(config.Secrets, ""):
		return nil, errors.New("secrets: there is none, or an empty one")
	case config.Consent == nil:
		return nil, errors.New("consent is missing: without it nothing may be kept")
	case config.Days < 1:
		return nil, errors.New("days is 1 or more")
	case !cookieForm.MatchString(config.Cookie):
		return nil, errors.New("cookie has characters of A-Z, a-z, 0-9, _ and -")
	}
	config.Secrets = slices.Clone(config.Secrets)
	return &Carry{config: config, most: time.Duration(config.Days) * day}, nil
}

// Handler makes the scan that a request carries its CurrentSession.
func (c *Carry) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		sent := ""
		if cookie, err := request.Cookie(c.config.Cookie); err == nil {
			sent = cookie.Value
		}
		session, keep := c.read(request.URL.RawQuery, sent, c.config.Consent(request))
		if keep != sent {
			http.SetCookie(w, c.cookie(keep))
		}
		next.ServeHTTP(w, request.WithContext(context.WithValue(request.Context(), sessionKey{}, session)))
	})
}

// read is what a request carries that has this query and this cookie (empty: none), and what its cookie becomes. Denied
// consent carries nothing and deletes the cookie. Granted consent keeps the session, and the last scan wins. Pending
// consent carries what the address says, for this request alone.
func (c *Carry) read(query, cookie string, consent Consent) (session, keep string) {
	if consent == Denied {
		return "", ""
	}
	named, _ := url.ParseQuery(query) // what cannot be read is left out
	landed := ""
	for _, name := range named[SessionParameter] {
		if landed == "" && c.left(name) > 0 {
			landed = name
		}
	}
	switch {
	case consent != Granted:
		return landed, cookie
	case landed != "":
		return landed, landed
	case c.left(cookie) > 0:
		return cookie, cookie
	}
	return "", ""
}

func (c *Carry) cookie(keep string) *http.Cookie {
	age := int(c.left(keep).Seconds())
	if keep == "" {
		age = -1 // which is Max-Age=0
	}
	return &http.Cookie{
		Name: c.config.Cookie, Value: keep, MaxAge: age, Path: "/",
		HttpOnly: true, Secure: !c.config.Insecure, SameSite: http.SameSiteLaxMode,
	}
}

// left is how long a session is carried from now on; 0: not at all, as it is too old or not signed.
func (c *Carry) left(session string) time.Duration {
	isOurs := func(secret string) bool { return isSigned(secret, c.config.SiteID, session) }
	if !sessionForm.MatchString(session) || !slices.ContainsFunc(c.config.Secrets, isOurs) {
		return 0
	}
	name, err := uuid.Parse(session[:strings.LastIndexByte(session, '.')])
	if err != nil || name.Version() != 7 {
		return c.most // the name of a redirect of one's own says no time
	}
	seconds, nanoseconds := name.Time().UnixTime()
	scanned := time.Unix(seconds, nanoseconds)
	return min(c.most, max(0, time.Until(scanned.Add(c.most)).Truncate(time.Second)))
}
