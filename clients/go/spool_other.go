//go:build !unix

package qrumb

import (
	"errors"
	"os"
)

const hasLocks = false

func lock(*os.File) error { return errors.ErrUnsupported }

func checkWritable(string) error { return errors.ErrUnsupported }
