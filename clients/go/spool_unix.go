//go:build unix

package qrumb

import (
	"io"
	"os"
	"syscall"
)

const hasLocks = true

// lock takes the lock that every language's client takes, or fails at once.
func lock(file *os.File) error {
	return syscall.FcntlFlock(file.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart})
}

// checkWritable says whether files can be made in the folder: R_OK, W_OK and X_OK are 7.
func checkWritable(folder string) error { return syscall.Access(folder, 7) }
