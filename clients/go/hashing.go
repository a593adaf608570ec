package qrumb

import (
	"crypto/sha256"
	"encoding/hex"
)

// EmailHash is the SHA-256 of the address in its normal form, as 64 hex digits. Its error does not quote the address.
func EmailHash(email string) (string, error) {
	normal, err := normalEmail(email)
	if err != nil {
		return "", err
	}
	return hash(normal), nil
}

// PhoneHash is the SHA-256 of the number in E.164 form with the leading +, as 64 hex digits. Its error does not quote
// the number. What it understands grows with the package phone, which a program imports for that effect.
func PhoneHash(phone string) (string, error) {
	normal, err := normalPhone(phone)
	if err != nil {
		return "", err
	}
	return hash(normal), nil
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
