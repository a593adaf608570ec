package qrumb

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	errNoEmail = errors.New("email is no e-mail address")
	errNoPhone = errors.New("phone is no international number: it needs + or 00 and the country code")
	// E.164: at most 15 digits, no country code starts with 0; no number has fewer than 7.
	e164 = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
)

// EmailHash is the SHA-256 of the address, trimmed and lower-cased, as 64 hex digits. Its error does not quote the
// address.
func EmailHash(email string) (string, error) {
	var normal strings.Builder
	for _, char := range strings.TrimSpace(email) {
		if char == 'İ' { // the one letter whose lower case is two characters
			normal.WriteString("i̇")
			continue
		}
		normal.WriteRune(unicode.ToLower(char))
	}
	local, domain, found := strings.Cut(normal.String(), "@")
	dot := strings.Contains(domain, ".") && !strings.HasPrefix(domain, ".") && !strings.HasSuffix(domain, ".")
	if !found || local == "" || strings.Contains(domain, "@") || !dot || !utf8.ValidString(email) {
		return "", errNoEmail
	}
	if strings.ContainsFunc(normal.String(), func(char rune) bool { return unicode.IsSpace(char) || unicode.IsControl(char) }) {
		return "", errNoEmail
	}
	return hash(normal.String()), nil
}

// PhoneHash is the SHA-256 of the number in E.164 form with the leading +, as 64 hex digits. Its error does not quote
// the number.
func PhoneHash(phone string) (string, error) {
	normal := strings.Map(func(char rune) rune {
		if unicode.IsSpace(char) || strings.ContainsRune(".-()/", char) {
			return -1
		}
		return char
	}, phone)
	if rest, found := strings.CutPrefix(normal, "00"); found {
		normal = "+" + rest
	}
	if !e164.MatchString(normal) {
		return "", errNoPhone
	}
	return hash(normal), nil
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
