// Package phone lets the client know the phone numbers of each country: it drops trunk prefixes, +43 (0)660, keeps the
// zeros that are part of a number, and refuses numbers that cannot exist. Import it for that effect:
//
//	import _ "github.com/qrumb/qrumb-go/phone"
//
// It is a module of its own, so that the client alone depends on no library of numbers.
package phone

import (
	"github.com/nyaruka/phonenumbers"

	"github.com/qrumb/qrumb-go/internal/phonelib"
)

func init() {
	phonelib.Known = known
}

func known(number string, isDoubtful bool) (string, bool) {
	parsed, err := phonenumbers.Parse(number, "")
	if err != nil {
		return "", false
	}
	exists := phonenumbers.IsPossibleNumberWithReason(parsed) == phonenumbers.IS_POSSIBLE
	if isDoubtful {
		exists = phonenumbers.IsValidNumber(parsed)
	}
	return phonenumbers.Format(parsed, phonenumbers.E164), exists
}
