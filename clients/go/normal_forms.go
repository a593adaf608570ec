package qrumb

import (
	"errors"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"github.com/qrumb/qrumb-go/internal/phonelib"
)

// The one form in which an e-mail address or a phone number is hashed, however it was typed, copied or exported: what
// was meant, or an error, since a guess would be the hash of another person. clients/cases/hashes.yaml has the cases.

var (
	errNoEmail = errors.New("email is not an e-mail address")
	errNoPhone = errors.New("phone is not an international number: it needs + or 00, the country code, and neither letters " +
		"nor an extension")
	errDoubtfulPhone = errors.New("phone may have a trunk prefix after its country code: leave it out, or import " +
		"github.com/qrumb/qrumb-go/phone, which knows the numbers of each country")
	errImpossiblePhone = errors.New("phone is not a number of its country")
)

const (
	maxText       = 1000
	maxEmailBytes = 254 // RFC 5321
	maxLabelBytes = 63  // RFC 1035
	opening       = "\"'([<“”„‚‘’«»‹›"
	closing       = "\"')]>“”‘’«»‹›.,;:!?"

	atom   = "[\\p{L}\\p{M}\\p{N}!#$%&'*+/=?^_`{|}~-]+"
	letter = `[\p{L}\p{M}\p{N}]`
	label  = letter + `(?:[\p{L}\p{M}\p{N}-]*` + letter + `)?`

	country = `\+(?:[17]|2(?:[07]|[1-689]\d)|3(?:[0-469]|[578]\d)|4(?:[013-9]|2\d)|5(?:[1-8]|[09]\d)` +
		`|6(?:[0-6]|[7-9]\d)|8(?:[1246]|[03578-9]\d)|9(?:[0-58]|[679]\d))`
)

var (
	named     = regexp.MustCompile(`^[^@<>]*<([^<>]*)>[.,;]*$`)
	isAddress = regexp.MustCompile(`^` + atom + `(?:\.` + atom + `)*@(?:` + label + `\.)+\p{L}[\p{L}\p{M}\p{N}-]*` + letter + `$`)

	international = regexp.MustCompile(`^\(?(?:00|\+)`)
	// E.164: at most 15 digits, no country code starts with 0; no number has fewer than 7.
	e164 = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	// A trunk prefix is dialled before a number within its country: a zero (in some countries a part of the number), an 8,
	// or what makes more than the ten digits that all numbers of +1 and +7 have.
	trunkPrefix  = regexp.MustCompile(`^(?:` + country + `0.*|\+(?:370|375|993)8.*|\+[17](?:.{0,9}|.{11,}))$`)
	optionalZero = regexp.MustCompile(`^` + country + `\)?\(0`)
)

// normalEmail is the address in lower case, without what it was copied with: mailto:, a name, quotes, punctuation after
// it. Width, case and composition of characters are treated as RFC 8265 does it for names; a host is in letters, not xn--.
func normalEmail(text string) (string, error) {
	text = strings.TrimFunc(norm.NFC.String(lower(folded(text))), isSpace)
	if found := named.FindStringSubmatch(text); found != nil {
		text = strings.TrimFunc(found[1], isSpace)
	}
	text = strings.TrimRight(strings.TrimLeft(text, opening), closing)
	if address, found := strings.CutPrefix(text, "mailto:"); found {
		text, _, _ = strings.Cut(strings.TrimPrefix(address, "//"), "?")
		if strings.Contains(text, "%") { // part of it is encoded
			return "", errNoEmail
		}
	}
	local, domain, _ := strings.Cut(text, "@")
	labels := strings.Split(domain, ".")
	for i, label := range labels {
		labels[i] = decoded(label)
	}
	normal := local + "@" + strings.Join(labels, ".")
	if !isAddress.MatchString(normal) || !norm.NFKC.IsNormalString(normal) || len(normal) > maxEmailBytes {
		return "", errNoEmail
	}
	return normal, nil
}

// normalPhone is the number in E.164 form, with the leading +. Whether a zero after the country code is a trunk prefix,
// +43 (0)660, is known to the package phone, an extra, which also finds numbers that cannot exist. It changes no number
// that is taken without it.
func normalPhone(text string) (string, error) {
	compact := strings.TrimPrefix(strings.ToLower(strings.TrimFunc(folded(text), isSpace)), "tel:")
	compact = international.ReplaceAllString(strings.Map(withoutSeparators, compact), "+")
	number := strings.NewReplacer("(", "", ")", "").Replace(compact)
	zeros, hasOptionalZero := strings.Count(compact, "(0"), optionalZero.MatchString(compact)
	if !e164.MatchString(number) || zeros > 1 || (zeros == 1) != hasOptionalZero {
		return "", errNoPhone
	}
	isDoubtful := trunkPrefix.MatchString(number)
	if phonelib.Known != nil {
		known, exists := phonelib.Known(number, isDoubtful)
		if !exists || (!isDoubtful && known != number) || (hasOptionalZero && known == number) {
			return "", errImpossiblePhone
		}
		return known, nil
	}
	if isDoubtful {
		return "", errDoubtfulPhone
	}
	return number, nil
}

// folded is the text without characters that have no ink, and with ASCII in one width.
func folded(text string) string {
	if utf8.RuneCountInString(text) > maxText {
		return ""
	}
	return strings.Map(func(char rune) rune {
		switch {
		case unicode.Is(unicode.Cf, char), char == 0x034F, char == 0x115F, char == 0x1160, 0xFE00 <= char && char <= 0xFE0F:
			return -1
		case 0xFF01 <= char && char <= 0xFF5E: // as keyboards of East Asia type it
			return char - 0xFEE0
		}
		return char
	}, text)
}

// lower works letter by letter; İ is the one whose lower case is two characters.
func lower(text string) string {
	return strings.Map(unicode.ToLower, strings.ReplaceAll(text, "İ", "i̇"))
}

// isSpace knows Unicode's white space, with the separators that Go leaves out.
func isSpace(char rune) bool {
	return unicode.IsSpace(char) || 0x1C <= char && char <= 0x1F
}

func withoutSeparators(char rune) rune {
	if isSpace(char) || strings.ContainsRune("./-\u2212", char) || 0x2010 <= char && char <= 0x2015 {
		return -1
	}
	return char
}

// decoded is a host's label xn--... in letters; empty: none encodes to it.
func decoded(label string) string {
	if !strings.HasPrefix(label, "xn--") {
		return label
	}
	letters, err := idna.Punycode.ToUnicode(label)
	if err != nil || len(label) > maxLabelBytes || letters == label || lower(letters) != letters {
		return ""
	}
	if again, err := idna.Punycode.ToASCII(letters); err != nil || again != label {
		return ""
	}
	return letters
}
