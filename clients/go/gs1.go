package qrumb

import (
	"net/url"
	"regexp"
	"strings"
)

var (
	digitalLink = regexp.MustCompile(`^/?01/([0-9]{8}|[0-9]{12,14})(?:/22/([^/]+))?(?:/10/([^/]+))?(?:/21/([^/]+))?/?$`)
	// digitalLinkValue is of GS1's set 82, 20 characters at most.
	digitalLinkValue = regexp.MustCompile(`^[!"%&'()*+,\-./0-9:;<=>?A-Z_a-z]{1,20}$`)
	digitalLinkNames = []string{"variant", "lot", "serial"}
)

const gtinDigits = 14

// readDigitalLink reads a GS1 Digital Link path, /01/{gtin}/22/{variant}/10/{lot}/21/{serial}: the GTIN in 14 digits,
// which names the code, and the rest, which are labels of the scan. False: no such path, or a wrong check digit.
func readDigitalLink(path string) (gtin string, labels map[string]any, found bool) {
	parts := digitalLink.FindStringSubmatch(path)
	if parts == nil {
		return "", nil, false
	}
	gtin = strings.Repeat("0", gtinDigits-len(parts[1])) + parts[1]
	if !hasCheckDigit(gtin) {
		return "", nil, false
	}
	labels = map[string]any{}
	for index, value := range parts[2:] {
		if value == "" {
			continue
		}
		decoded, err := url.PathUnescape(value)
		if err != nil || !digitalLinkValue.MatchString(decoded) {
			return "", nil, false
		}
		labels[digitalLinkNames[index]] = decoded
	}
	return gtin, labels, true
}

func hasCheckDigit(gtin string) bool {
	sum := 0
	for place, digit := range gtin {
		weight := 3
		if place%2 == 1 {
			weight = 1
		}
		sum += int(digit-'0') * weight
	}
	return sum%10 == 0
}
