package qrumb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc"
	grpcbackoff "google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/qrumb/qrumb-go/qrumbv1"
)

// maxAnswerBytes: a batch of rejected events has many violations, more than gRPC's 4 MiB.
const maxAnswerBytes = 64 << 20

// Counters say what became of the events so far: Sent = Accepted + Rejected + Failed + Waiting. Retried counts the
// calls that were repetitions.
type Counters struct {
	Sent, Accepted, Rejected, Failed, Waiting, Retried int
}

// Client sends events to a collector. Any number of goroutines may use one.
type Client struct {
	settings   Settings
	key        string
	tls        *tls.Config
	address    address
	report     report
	spoolDir   string
	connection *grpc.ClientConn
	collector  qrumbv1.CollectorServiceClient
	sessions   qrumbv1.ScanSessionServiceClient

	// life ends when Close gives up.
	life    context.Context
	abandon context.CancelFunc
	// work wakes the sender; done is closed when it has ended.
	work chan struct{}
	done chan struct{}

	mutex       sync.Mutex
	buffer      *buffer
	spool       *spool // nil without a folder
	kept        int    // what the end of the client has left in it
	counters    Counters
	collecting  int
	answers     chan struct{} // closed and replaced with every answer
	closing     bool
	ending      chan struct{} // closed with closing
	undelivered batch
	raised      int // failed events whose callers got an error
}

// Option is an argument of New.
type Option func(*Client)

// WithKey sends the site's key as `authorization: Bearer`.
func WithKey(key string) Option { return func(c *Client) { c.key = key } }

// WithTLS sets roots and certificates for an address with TLS.
func WithTLS(config *tls.Config) Option { return func(c *Client) { c.tls = config } }

// WithSpoolDir names a folder in which what is queued survives this process; empty: none. Processes may share one. Close
// then ends at the first failure that a retry might cure: what is in the folder is sent at the next start, and still counts
// as waiting.
func WithSpoolDir(folder string) Option { return func(c *Client) { c.spoolDir = folder } }

// WithSettings sets limits and times.
func WithSettings(settings Settings) Option { return func(c *Client) { c.settings = settings } }

// OnReceipt is called with every receipt of a sent event, in the order of the events of a batch. It runs in the
// sender: it must not call Send, Flush or Close. Without it rejections are logged.
func OnReceipt(hook func(*qrumbv1.EventReceipt)) Option {
	return func(c *Client) { c.report.onReceipt = hook }
}

// OnFailure is called with every event that has no receipt and will get none, as OnReceipt is. Without it such events
// are logged as a number, and Close returns an error.
func OnFailure(hook func(Event, error)) Option {
	return func(c *Client) { c.report.onFailure = hook }
}

// New makes a client of grpc://host:port or http://host:port, or of grpcs://host:port or https://host:port with TLS. It does
// not wait for a connection.
func New(url string, options ...Option) (*Client, error) {
	c := &Client{
		settings: DefaultSettings(),
		work:     make(chan struct{}, 1),
		done:     make(chan struct{}),
		answers:  make(chan struct{}),
		ending:   make(chan struct{}),
	}
	c.report.url = url
	for _, option := range options {
		option(c)
	}
	if err := c.settings.check(); err != nil {
		return nil, err
	}
	connection, err := c.connect(url)
	if err != nil {
		return nil, err
	}
	c.connection = connection
	c.collector = qrumbv1.NewCollectorServiceClient(connection)
	c.sessions = qrumbv1.NewScanSessionServiceClient(connection)
	c.buffer = newBuffer(c.settings)
	if c.spoolDir != "" {
		if c.spool, err = openSpool(c.spoolDir, 2*int64(c.settings.MaxQueueBytes), c.buffer); err != nil {
			return nil, errors.Join(err, connection.Close())
		}
		c.spool.adopt(c.takeOver)
	}
	c.life, c.abandon = context.WithCancel(context.Background())
	go c.run()
	return c, nil
}

func (c *Client) connect(url string) (*grpc.ClientConn, error) {
	var err error
	if c.address, err = parseAddress(url, "url"); err != nil {
		return nil, err
	}
	if err := checkKey(c.key, "key"); err != nil {
		return nil, err
	}
	if c.tls != nil && !c.address.isSecure {
		return nil, errors.New("qrumb: url: has no TLS, which certificates need; it begins with grpcs:// or https://")
	}
	transport := insecure.NewCredentials()
	if c.address.isSecure {
		transport = credentials.NewTLS(c.tls)
	}
	calls := []grpc.CallOption{grpc.MaxCallRecvMsgSize(maxAnswerBytes)}
	if c.settings.Gzip {
		calls = append(calls, grpc.UseCompressor(gzip.Name))
	}
	return grpc.NewClient(
		c.address.target,
		grpc.WithTransportCredentials(transport),
		grpc.WithDisableRetry(), // backoff is the only one that retries
		grpc.WithDefaultCallOptions(calls...),
		// Else a connection that has seen a long outage looks for its server only every two minutes.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: grpcbackoff.Config{
				BaseDelay: c.settings.FirstBackoff, Multiplier: 2, Jitter: 0.2, MaxDelay: c.settings.MaxBackoff,
			},
			MinConnectTimeout: c.settings.CallTimeout,
		}),
	)
}

// Counters say what became of the events so far.
func (c *Client) Counters() Counters {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	counters := c.counters
	counters.Waiting = c.buffer.events + c.collecting + c.kept
	return counters
}

// Send queues an event and returns its id. While the queue is full it waits for room until the context ends, or fails
// at once where the settings say so; then the error is ErrQueueFull and the event was not taken.
func (c *Client) Send(ctx context.Context, event Event) (string, error) {
	queued, err := freeze(event)
	if err != nil {
		return "", err
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if !c.buffer.admits(queued.size()) {
		if c.settings.WhenFull == Fail && !c.closing {
			return "", ErrQueueFull
		}
		if err := c.waitFor(ctx, func() bool { return c.buffer.admits(queued.size()) || c.closing }); err != nil {
			return "", fmt.Errorf("%w: %w", ErrQueueFull, err)
		}
		queued.queuedAt = time.Now()
	}
	if c.closing {
		return "", ErrClosed
	}
	c.put(queued)
	return queued.eventID, nil
}

// Collect sends an event in a call of its own, retries until the context ends, and returns the receipt, which may be
// REJECTED. The error is a *DeliveryError where the server refused the call or did not answer in time.
func (c *Client) Collect(ctx context.Context, event Event) (*qrumbv1.EventReceipt, error) {
	queued, err := freeze(event)
	if err != nil {
		return nil, err
	}
	c.mutex.Lock()
	if c.closing {
		c.mutex.Unlock()
		return nil, ErrClosed
	}
	c.counters.Sent++
	c.collecting++
	c.mutex.Unlock()
	var receipts []*qrumbv1.EventReceipt
	failed := c.untilAnswered(ctx, nil, func(ctx context.Context) (failed *failure) {
		receipts, failed = c.call(ctx, batch{queued})
		return failed
	})
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.collecting--
	c.count(receipts, 1)
	if failed != nil {
		c.raised++
		return nil, failed.err
	}
	return receipts[0], nil
}

// RegisterScanSession registers a scan, before or after its events; the same one again changes nothing. ScanTime is
// now unless given. It retries until the context ends.
func (c *Client) RegisterScanSession(ctx context.Context, session *qrumbv1.ScanSession) (*qrumbv1.ScanSession, error) {
	c.mutex.Lock()
	closing := c.closing
	c.mutex.Unlock()
	if closing {
		return nil, ErrClosed
	}
	session = proto.Clone(session).(*qrumbv1.ScanSession)
	session.ScanTime = orNow(session.ScanTime)
	var kept *qrumbv1.ScanSession
	failed := c.untilAnswered(ctx, nil, func(ctx context.Context) *failure {
		var header, trailer metadata.MD
		request := &qrumbv1.RegisterScanSessionRequest{ScanSession: session}
		answer, err := c.sessions.RegisterScanSession(c.outgoing(ctx), request, grpc.Header(&header), grpc.Trailer(&trailer))
		if err != nil {
			return readFailure(err, header, trailer)
		}
		kept = answer.GetScanSession()
		return nil
	})
	if failed != nil {
		return nil, failed.err
	}
	return kept, nil
}

// Flush sends what waits at once and returns when every event queued before has its answer, or with the context's
// error.
func (c *Client) Flush(ctx context.Context) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	number := c.buffer.lastNumber
	c.buffer.makeUrgent()
	c.wake()
	return c.waitFor(ctx, func() bool { return c.buffer.isSettled(number) })
}

// Close flushes until the context ends, then ends the client. What has no answer by then is failed and handed back in
// an *UndeliveredError, which also says of events that had failed before where there is no hook OnFailure.
func (c *Client) Close(ctx context.Context) error {
	c.mutex.Lock()
	again := c.closing
	if !again {
		close(c.ending)
	}
	c.closing = true
	c.buffer.makeUrgent()
	c.wake()
	c.announce()
	c.mutex.Unlock()
	select {
	case <-c.done:
	case <-ctx.Done():
		c.abandon()
		<-c.done
	}
	if again {
		return nil
	}
	c.abandon()
	err := c.connection.Close()
	if undelivered := c.undeliveredError(c.undelivered); undelivered != nil {
		return undelivered
	}
	return err
}

// put queues an event for which there is room; the mutex is held.
func (c *Client) put(queued *queuedEvent) {
	c.counters.Sent++
	if c.spool != nil {
		c.spool.keep(queued)
	}
	if c.buffer.put(queued) {
		c.wake()
	}
}

// takeOver queues what a client that is gone has left, if there is room; the mutex is held.
func (c *Client) takeOver(found batch) bool {
	if !c.buffer.admitsAll(found) {
		return false
	}
	for _, queued := range found {
		c.buffer.put(queued)
	}
	c.counters.Sent += len(found)
	return true
}

// isAllKept says whether all that waits will outlive the client.
func (c *Client) isAllKept() bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	_, left := c.buffer.unsettled().divided()
	return c.spool != nil && c.closing && len(left) == 0
}

// freeze is the event as bytes, with its id and its time.
func freeze(event Event) (*queuedEvent, error) {
	found := serverKind
	switch event.(type) {
	case *qrumbv1.ServerEvent:
	case *qrumbv1.BrowserEvent:
		found = browserKind
	case *qrumbv1.ScanSession:
		found = scanKind
	default:
		return nil, fmt.Errorf("qrumb: %T is not an event", event)
	}
	event = complete(event)
	payload, err := proto.Marshal(event)
	if err != nil {
		return nil, fmt.Errorf("qrumb: the event cannot be sent: %w", err)
	}
	return &queuedEvent{kind: found, eventID: IDOf(event), payload: payload, queuedAt: time.Now()}, nil
}

// waitFor waits until it is so; the mutex is held, except while it waits.
func (c *Client) waitFor(ctx context.Context, isSo func() bool) error {
	for !isSo() {
		answers := c.answers
		c.mutex.Unlock()
		select {
		case <-answers:
			c.mutex.Lock()
		case <-ctx.Done():
			c.mutex.Lock()
			if !isSo() {
				return ctx.Err()
			}
		}
	}
	return nil
}

// announce wakes everyone who waits for an answer; the mutex is held.
func (c *Client) announce() {
	close(c.answers)
	c.answers = make(chan struct{})
}

func (c *Client) wake() {
	select {
	case c.work <- struct{}{}:
	default:
	}
}

// count adds verdicts on that many events; those without one have failed. The mutex is held.
func (c *Client) count(receipts []*qrumbv1.EventReceipt, events int) {
	for _, receipt := range receipts {
		if receipt.GetOutcome() == qrumbv1.EventReceipt_ACCEPTED {
			c.counters.Accepted++
		} else {
			c.counters.Rejected++
		}
	}
	c.counters.Failed += events - len(receipts)
}

func (c *Client) countRetry() {
	c.mutex.Lock()
	c.counters.Retried++
	c.mutex.Unlock()
}

// run is the sender: batch after batch, until the client is closed and nothing waits.
func (c *Client) run() {
	defer close(c.done)
	for {
		next := c.nextBatch()
		if next == nil || !c.deliver(next) {
			break
		}
	}
	c.mutex.Lock()
	kept, left := c.buffer.takeAll().divided()
	c.kept, c.undelivered = len(kept), left
	c.counters.Failed += len(left)
	if c.spool != nil {
		c.spool.close()
	}
	c.mutex.Unlock()
	if len(kept) > 0 {
		c.report.kept(len(kept), c.spool.folder)
	}
	if len(left) > 0 {
		c.report.tell(left, c.undeliveredError(left)) // without a hook, Close returns it
	}
	c.mutex.Lock()
	c.announce()
	c.mutex.Unlock()
}

// nextBatch waits for a batch that is due; nil at the end.
func (c *Client) nextBatch() batch {
	for c.life.Err() == nil {
		c.mutex.Lock()
		next := c.buffer.take(time.Now())
		due, waits := c.buffer.dueAt()
		closing := c.closing
		c.mutex.Unlock()
		if next != nil || (closing && !waits) {
			return next
		}
		var timer <-chan time.Time
		if waits {
			timer = time.After(time.Until(due))
		}
		select {
		case <-c.work:
		case <-timer:
		case <-c.life.Done():
		}
	}
	return nil
}

// deliver calls until the batch has its answer; false where the client was abandoned before.
func (c *Client) deliver(next batch) bool {
	var receipts []*qrumbv1.EventReceipt
	failed := c.untilAnswered(c.life, c.tried, func(ctx context.Context) (failed *failure) {
		receipts, failed = c.call(ctx, next)
		// Nothing else would bring back what is refused for its key: in a folder it waits for one that is known.
		if c.spool != nil && failed != nil && failed.err.Code == codes.Unauthenticated {
			failed.retried = true
		}
		return failed
	})
	if c.life.Err() == nil {
		c.report.answered()
	}
	if next.isDivided(failed) {
		middle := len(next) / 2
		return c.deliver(next[:middle]) && c.deliver(next[middle:])
	}
	if failed != nil {
		if c.life.Err() != nil {
			return false
		}
		c.report.failed(next, failed.err)
	}
	// Told before it is settled: after a flush the caller has seen every answer.
	c.report.receipts(receipts)
	c.mutex.Lock()
	c.count(receipts, len(next))
	c.buffer.settle(next)
	if c.spool != nil {
		c.spool.settle(next)
		if time.Now().After(c.spool.nextLook) {
			c.spool.adopt(c.takeOver)
		}
	}
	c.announce()
	c.mutex.Unlock()
	return true
}

// tried: a call of the sender failed and will be repeated.
func (c *Client) tried(err error, wait time.Duration) {
	if c.life.Err() == nil {
		c.report.tried(err, c.Counters().Waiting, wait)
	}
}

// undeliveredError is what the end of the client has to say: of the events that are left, and of those that no hook was
// told of; nil where there are none.
func (c *Client) undeliveredError(left batch) error {
	c.mutex.Lock()
	count := len(left)
	if c.report.onFailure == nil {
		count = c.counters.Failed - c.raised
	}
	c.mutex.Unlock()
	if count == 0 {
		return nil
	}
	return &UndeliveredError{Events: left.events(), Count: count, URL: c.report.url, Cause: c.report.cause()}
}

// untilAnswered calls until there is an answer that no repetition would change, or the context ends. tried, where there is
// one, is told of each failure that is repeated.
func (c *Client) untilAnswered(
	ctx context.Context, tried func(error, time.Duration), call func(context.Context) *failure,
) *failure {
	for attempt := 1; ; attempt++ {
		limited, cancel := context.WithTimeout(ctx, c.settings.CallTimeout)
		failed := call(limited)
		cancel()
		if failed == nil || !failed.retried {
			return failed
		}
		wait := backoff(c.settings, attempt, rand.Float64(), failed.stated)
		if tried != nil {
			tried(failed.err, wait)
		}
		// The sender's pauses end with the client, if what waits is in a folder: it is not waited for.
		ending := c.ending
		if tried == nil || c.spool == nil {
			ending = nil
		}
		timer := time.NewTimer(wait)
		for isOver := false; !isOver; {
			select {
			case <-timer.C:
				isOver = true
			case <-ending:
				ending = nil
				if c.isAllKept() {
					c.abandon()
				}
			case <-ctx.Done():
				timer.Stop()
				return failed
			}
		}
		c.countRetry()
	}
}

// call sends a batch once. Its events go as the bytes that they were frozen to.
func (c *Client) call(ctx context.Context, next batch) ([]*qrumbv1.EventReceipt, *failure) {
	var header, trailer metadata.MD
	var receipts []*qrumbv1.EventReceipt
	var err error
	options := []grpc.CallOption{grpc.Header(&header), grpc.Trailer(&trailer)}
	switch next[0].kind {
	case scanKind:
		receipts, err = c.registerScans(ctx, next, options...)
	case serverKind:
		request := &qrumbv1.BatchCollectServerEventsRequest{}
		request.ProtoReflect().SetUnknown(next.encode())
		var answer *qrumbv1.BatchCollectServerEventsResponse
		answer, err = c.collector.BatchCollectServerEvents(c.outgoing(ctx), request, options...)
		receipts = answer.GetReceipts()
	case browserKind:
		request := &qrumbv1.BatchCollectBrowserEventsRequest{}
		request.ProtoReflect().SetUnknown(next.encode())
		var answer *qrumbv1.BatchCollectBrowserEventsResponse
		answer, err = c.collector.BatchCollectBrowserEvents(c.outgoing(ctx), request, options...)
		receipts = answer.GetReceipts()
	}
	if err != nil {
		return nil, readFailure(err, header, trailer)
	}
	if !areVerdicts(receipts, len(next)) {
		message := fmt.Sprintf("the answer has %d receipts for %d events, or no verdicts", len(receipts), len(next))
		return nil, &failure{err: &DeliveryError{Code: codes.Internal, Message: message}}
	}
	return receipts, nil
}

func areVerdicts(receipts []*qrumbv1.EventReceipt, events int) bool {
	for _, receipt := range receipts {
		switch receipt.GetOutcome() {
		case qrumbv1.EventReceipt_ACCEPTED, qrumbv1.EventReceipt_REJECTED:
		default:
			return false
		}
	}
	return len(receipts) == events
}

func (c *Client) outgoing(ctx context.Context) context.Context {
	if c.key == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+c.key)
}
