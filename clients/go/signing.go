package qrumb

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
)

const (
	signatureBytes = 16
	longestID      = 128
)

// SignScanSessionID is the scan_session_id for a session of this name, which is unique within the site and not to be
// guessed. The secret is the site's session secret (`qrumb sites session-secret`).
func SignScanSessionID(secret, siteID, name string) (string, error) {
	signed := name + "." + signature(secret, siteID, name)
	if name == "" || len(signed) > longestID {
		return "", errors.New("the name of a scan session has 1 to 105 characters")
	}
	return signed, nil
}

// isSigned says whether the id was signed with this secret for this site.
func isSigned(secret, siteID, scanSessionID string) bool {
	dot := strings.LastIndexByte(scanSessionID, '.')
	if dot < 0 {
		return false
	}
	expected := signature(secret, siteID, scanSessionID[:dot])
	return hmac.Equal([]byte(expected), []byte(scanSessionID[dot+1:]))
}

func signature(secret, siteID, name string) string {
	digest := hmac.New(sha256.New, []byte(secret))
	digest.Write([]byte(siteID + "\n" + name))
	return base64.RawURLEncoding.EncodeToString(digest.Sum(nil)[:signatureBytes])
}
