package qrumb

import (
	"math"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// failure is a call without receipts; stated is the delay that the answer asked for.
type failure struct {
	err     *DeliveryError
	retried bool
	stated  time.Duration
}

// isRetried says whether the same call may succeed later. A full server says when; a message that is too large does
// not.
func isRetried(code codes.Code, hasDelay bool) bool {
	switch code {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Aborted, codes.Canceled:
		return true
	case codes.ResourceExhausted:
		return hasDelay
	}
	return false
}

// backoff is the wait after failure number attempt; random is in [0, 1). Never less than what the server asked for,
// and a little more, so that its clients do not come back as one.
func backoff(settings Settings, attempt int, random float64, stated time.Duration) time.Duration {
	if stated > 0 {
		return stated + time.Duration(random*float64(stated)/4)
	}
	grown := float64(settings.FirstBackoff) * math.Exp2(float64(attempt-1))
	ceiling := min(float64(settings.MaxBackoff), grown)
	return time.Duration(ceiling * (1 + random) / 2)
}

func readFailure(err error, headers ...metadata.MD) *failure {
	found := status.Convert(err)
	failed := &failure{err: &DeliveryError{Code: found.Code(), Message: found.Message()}}
	hasDelay := false
	for _, header := range headers {
		if seconds := header.Get("retry-after"); len(seconds) > 0 {
			if whole, err := strconv.ParseUint(seconds[0], 10, 31); err == nil {
				failed.stated, hasDelay = time.Duration(whole)*time.Second, true
			}
		}
	}
	for _, detail := range found.Details() {
		switch detail := detail.(type) {
		case *errdetails.RetryInfo:
			failed.stated, hasDelay = max(0, detail.GetRetryDelay().AsDuration()), true
		case *errdetails.BadRequest:
			for _, violation := range detail.GetFieldViolations() {
				failed.err.Violations = append(failed.err.Violations, FieldViolation{
					Field:       violation.GetField(),
					Reason:      violation.GetReason(),
					Description: violation.GetDescription(),
				})
			}
		}
	}
	failed.retried = isRetried(found.Code(), hasDelay)
	return failed
}
