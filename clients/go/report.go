package qrumb

import (
	"log/slog"
	"sync"
	"time"

	"github.com/qrumb/qrumb-go/qrumbv1"
)

const (
	// betweenLines: a full queue refuses many a second, and so does a rule that every event breaks. Each is counted.
	betweenLines = time.Second
	// silence: a server that has not answered for so long is told of, once, while it is tried again.
	silence = 5 * time.Second
)

// report tells of events that were not delivered, and of a server that does not answer: to the caller's hooks, and to the
// log where there are none. No line quotes an event, which may be personal.
type report struct {
	url       string
	onReceipt func(*qrumbv1.EventReceipt)
	onFailure func(Event, error)

	mutex         sync.Mutex
	lastCause     error
	silentSince   time.Time
	silenceTold   bool
	lossSaid      time.Time
	rejectionSaid time.Time
}

// cause is why the last call or event failed.
func (r *report) cause() error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.lastCause
}

func (r *report) remember(err error) {
	r.mutex.Lock()
	r.lastCause = err
	r.mutex.Unlock()
}

// maySay is true once in betweenLines.
func (r *report) maySay(said *time.Time) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if time.Since(*said) < betweenLines {
		return false
	}
	*said = time.Now()
	return true
}

// receipts shows each receipt to the caller.
func (r *report) receipts(receipts []*qrumbv1.EventReceipt) {
	if r.onReceipt != nil {
		for _, receipt := range receipts {
			r.onReceipt(receipt)
		}
		return
	}
	var rejected []*qrumbv1.EventReceipt
	for _, receipt := range receipts {
		if receipt.GetOutcome() == qrumbv1.EventReceipt_REJECTED {
			rejected = append(rejected, receipt)
		}
	}
	if len(rejected) == 0 || !r.maySay(&r.rejectionSaid) {
		return
	}
	why := "no reason was given"
	if rules := rejected[0].GetViolations(); len(rules) > 0 {
		why = rules[0].GetField() + ": " + rules[0].GetDescription()
	}
	slog.Error("qrumb: events rejected", "url", r.url, "events", len(rejected), "of", len(receipts), "first", why)
}

// failed tells of events that have failed for good.
func (r *report) failed(events batch, err error) {
	r.remember(err)
	if !r.tell(events, err) {
		slog.Error("qrumb: events not delivered", "url", r.url, "events", len(events), "error", err)
	}
}

// lost tells of an event that was not taken.
func (r *report) lost(event Event, err error) {
	r.remember(err)
	switch {
	case r.onFailure != nil:
		r.onFailure(event, err)
	case r.maySay(&r.lossSaid):
		slog.Error("qrumb: an event was not taken", "url", r.url, "error", err)
	}
}

// tell gives the events to the hook; false where there is none.
func (r *report) tell(events batch, err error) bool {
	if r.onFailure == nil {
		return false
	}
	for _, queued := range events {
		r.onFailure(queued.event(), err)
	}
	return true
}

// kept: the end of the client leaves so many events in the folder.
func (r *report) kept(events int, folder string) {
	slog.Warn("qrumb: events not delivered, kept and sent at the next start", "url", r.url, "events", events,
		"folder", folder, "error", r.cause())
}

// tried: a call failed and is repeated after wait. A silence that will then have lasted 5 s is told of, once.
func (r *report) tried(err error, waiting int, wait time.Duration) {
	r.mutex.Lock()
	r.lastCause = err
	if r.silentSince.IsZero() {
		r.silentSince = time.Now()
	}
	silent := time.Since(r.silentSince)
	isNews := silent+wait >= silence && !r.silenceTold
	r.silenceTold = r.silenceTold || isNews
	r.mutex.Unlock()
	if isNews {
		slog.Warn("qrumb: no answer", "url", r.url, "for", silent.Round(time.Second), "waiting", waiting,
			"next_try_in", wait.Round(time.Second), "error", err)
	}
}

// answered: the server said something, if only a refusal.
func (r *report) answered() {
	r.mutex.Lock()
	wasTold := r.silenceTold
	r.silentSince, r.silenceTold = time.Time{}, false
	r.mutex.Unlock()
	if wasTold {
		slog.Warn("qrumb: answers again", "url", r.url)
	}
}
