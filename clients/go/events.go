package qrumb

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/qrumb/qrumb-go/qrumbv1"
)

// maxDepth: the contract allows 5. From some 30 on the server cannot decode the message, and would refuse the whole
// batch for it.
const maxDepth = 20

// Event is a *qrumbv1.ServerEvent, a *qrumbv1.BrowserEvent or a *qrumbv1.ScanSession. IDOf is its id.
type Event interface {
	proto.Message
	GetSiteId() string
	GetScanSessionId() string
}

// Consent is the visitor's answer. Empty: the site's default.
type Consent string

// What a visitor may have answered.
const (
	Granted Consent = "granted"
	Denied  Consent = "denied"
	Pending Consent = "pending"
)

// largestInteger: a Struct's numbers are doubles, and beyond it an integer loses digits.
const largestInteger = 1 << 53

// ServerEvent describes a conversion: a purchase, a signup, a lead. Build turns it into the contract's message.
type ServerEvent struct {
	// SiteID, EventName and ScanSessionID are required; the server says what is wrong with them.
	SiteID, EventName, ScanSessionID string
	// EventID is a UUID that names this event for ever, such as EventIDFor("purchase", orderNumber). Empty: a new UUIDv7.
	EventID string
	// EventTime is when it happened. Zero: now.
	EventTime time.Time
	Consent   Consent
	// Email and Phone are raw, and hashed by Build; EmailHash and PhoneHash are for hashes made elsewhere.
	Email, Phone, EmailHash, PhoneHash, ExternalID string
	// Amount with its Currency (ISO 4217); nil: worth nothing that could be counted.
	Amount   *float64
	Currency string
	// Properties are own fields, of JSON's types.
	Properties map[string]any
	// ClientIP and UserAgent are the visitor's; they give place and device and are dropped.
	ClientIP, UserAgent string
}

// BrowserEvent describes something that a visitor did on a page. Build turns it into the contract's message.
type BrowserEvent struct {
	// SiteID and EventType (what happened) are required; the server says what is wrong with them.
	SiteID, EventType, ScanSessionID string
	// EventID and EventTime as of ServerEvent.
	EventID                      string
	EventTime                    time.Time
	Consent                      Consent
	PageURL, PageTitle, Referrer string
	Device                       *qrumbv1.Device
	// Metadata are own fields, of JSON's types.
	Metadata map[string]any
}

// Build refuses what only a mistake of the program can be; the error names the field and never quotes it. The event
// that it returns has its id and its time.
func (e ServerEvent) Build() (*qrumbv1.ServerEvent, error) {
	eventID, err1 := buildID(e.EventID)
	consent, err2 := buildConsent(e.Consent)
	identifiers, err3 := e.identifiers()
	value, err4 := e.conversion()
	properties, err5 := buildStruct("properties", e.Properties, 1)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return nil, err
	}
	return &qrumbv1.ServerEvent{
		SiteId:          e.SiteID,
		EventId:         eventID,
		EventTime:       buildTime(e.EventTime),
		ScanSessionId:   e.ScanSessionID,
		Consent:         consent,
		EventName:       e.EventName,
		UserIdentifiers: identifiers,
		ConversionValue: value,
		Properties:      properties,
		ClientIp:        e.ClientIP,
		UserAgent:       e.UserAgent,
	}, nil
}

// Build is as that of ServerEvent.
func (e BrowserEvent) Build() (*qrumbv1.BrowserEvent, error) {
	eventID, err1 := buildID(e.EventID)
	consent, err2 := buildConsent(e.Consent)
	metadata, err3 := buildStruct("metadata", e.Metadata, 1)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	return &qrumbv1.BrowserEvent{
		SiteId:        e.SiteID,
		EventId:       eventID,
		EventTime:     buildTime(e.EventTime),
		ScanSessionId: e.ScanSessionID,
		Consent:       consent,
		EventType:     e.EventType,
		PageUrl:       e.PageURL,
		PageTitle:     e.PageTitle,
		Referrer:      e.Referrer,
		Device:        e.Device,
		Metadata:      metadata,
	}, nil
}

func (e ServerEvent) identifiers() (*qrumbv1.UserIdentifiers, error) {
	email, err1 := identifier("email", e.Email, e.EmailHash, EmailHash)
	phone, err2 := identifier("phone", e.Phone, e.PhoneHash, PhoneHash)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	if email == "" && phone == "" && e.ExternalID == "" {
		return nil, nil
	}
	return &qrumbv1.UserIdentifiers{EmailHash: email, PhoneHash: phone, ExternalId: e.ExternalID}, nil
}

func identifier(name, raw, hashed string, hashRaw func(string) (string, error)) (string, error) {
	switch {
	case raw == "":
		return hashed, nil
	case hashed != "":
		return "", fmt.Errorf("%s and %s_hash are given: one of them is enough", name, name)
	}
	return hashRaw(raw)
}

func (e ServerEvent) conversion() (*qrumbv1.ConversionValue, error) {
	switch {
	case e.Amount == nil && e.Currency == "":
		return nil, nil
	case e.Amount == nil:
		return nil, errors.New("amount is missing: a currency alone is worth nothing")
	case e.Currency == "":
		return nil, errors.New("currency is missing: an amount needs it")
	case math.IsNaN(*e.Amount) || math.IsInf(*e.Amount, 0):
		return nil, errors.New("amount is not finite")
	}
	return &qrumbv1.ConversionValue{Amount: *e.Amount, Currency: e.Currency}, nil
}

// complete is the event with an id and a time; a copy where one of them is missing.
func complete(event Event) Event {
	switch found := event.(type) {
	case interface {
		GetEventTime() *timestamppb.Timestamp
	}:
		if IDOf(event) != "" && found.GetEventTime() != nil {
			return event
		}
	case *qrumbv1.ScanSession:
		if IDOf(event) != "" && found.GetScanTime() != nil {
			return event
		}
	}
	switch whole := proto.Clone(event).(type) {
	case *qrumbv1.ServerEvent:
		whole.EventId, whole.EventTime = orNewID(whole.EventId), orNow(whole.EventTime)
		return whole
	case *qrumbv1.BrowserEvent:
		whole.EventId, whole.EventTime = orNewID(whole.EventId), orNow(whole.EventTime)
		return whole
	case *qrumbv1.ScanSession:
		whole.ScanSessionId, whole.ScanTime = orNewID(whole.ScanSessionId), orNow(whole.ScanTime)
		return whole
	}
	return event
}

func orNewID(id string) string {
	if id != "" {
		return id
	}
	return NewEventID()
}

func orNow(moment *timestamppb.Timestamp) *timestamppb.Timestamp {
	if moment != nil {
		return moment
	}
	return buildTime(time.Time{})
}

// NewEventID is a UUIDv7: milliseconds first, so that ids of one time lie together.
func NewEventID() string {
	return uuid.Must(uuid.NewV7()).String()
}

// eventIDs is the same in every client; of its own, so that other UUIDv5 of the same texts are other ids.
var eventIDs = uuid.MustParse("6f201f84-5276-5a2b-945b-49f1a94eb63e")

// EventIDFor is the UUIDv5 of an event that has a name elsewhere: EventIDFor("purchase", order.Number). The same texts
// give the same id in every client and every process, so that a job that runs twice counts once. The event's name
// belongs to it: an order's refund is another event than its purchase. Where one of the two is empty, all such events
// would be one, which is an error.
func EventIDFor(eventName, key string) (string, error) {
	if eventName == "" {
		return "", errors.New("event_name is empty")
	}
	if key == "" {
		return "", errors.New("key is empty")
	}
	return uuid.NewSHA1(eventIDs, []byte(eventName+"\n"+key)).String(), nil
}

func buildID(given string) (string, error) {
	if given == "" {
		return NewEventID(), nil
	}
	parsed, err := uuid.Parse(given)
	if err != nil {
		return "", errors.New("event_id is not a UUID")
	}
	return parsed.String(), nil
}

// buildTime is in milliseconds, which is what is stored.
func buildTime(moment time.Time) *timestamppb.Timestamp {
	if moment.IsZero() {
		moment = time.Now()
	}
	return timestamppb.New(time.UnixMilli(moment.UnixMilli()))
}

func buildConsent(given Consent) (qrumbv1.Consent_State, error) {
	switch given {
	case "":
		return qrumbv1.Consent_CONSENT_UNSPECIFIED, nil
	case Granted:
		return qrumbv1.Consent_GRANTED, nil
	case Denied:
		return qrumbv1.Consent_DENIED, nil
	case Pending:
		return qrumbv1.Consent_PENDING, nil
	}
	return 0, errors.New("consent is granted, denied or pending")
}

func buildStruct(name string, fields map[string]any, depth int) (*structpb.Struct, error) {
	if len(fields) == 0 {
		return nil, nil
	}
	built := &structpb.Struct{Fields: make(map[string]*structpb.Value, len(fields))}
	for key, value := range fields {
		found, err := buildValue(name, value, depth+1)
		if err != nil {
			return nil, err
		}
		built.Fields[key] = found
	}
	return built, nil
}

// buildValue names the argument only in its errors: keys and values may be personal.
func buildValue(name string, value any, depth int) (*structpb.Value, error) {
	if depth > maxDepth+1 {
		return nil, fmt.Errorf("%s is nested deeper than %d", name, maxDepth)
	}
	switch found := value.(type) {
	case nil:
		return structpb.NewNullValue(), nil
	case string:
		return structpb.NewStringValue(found), nil
	case bool:
		return structpb.NewBoolValue(found), nil
	case map[string]any:
		built, err := buildStruct(name, found, depth)
		if err != nil {
			return nil, err
		}
		if built == nil {
			built = &structpb.Struct{}
		}
		return structpb.NewStructValue(built), nil
	}
	return buildReflected(name, reflect.ValueOf(value), depth)
}

// buildReflected takes numbers and slices of any Go type.
func buildReflected(name string, value reflect.Value, depth int) (*structpb.Value, error) {
	switch {
	case value.CanInt():
		if value.Int() > largestInteger || value.Int() < -largestInteger {
			return nil, errLargeInteger(name)
		}
		return structpb.NewNumberValue(float64(value.Int())), nil
	case value.CanUint():
		if value.Uint() > largestInteger {
			return nil, errLargeInteger(name)
		}
		return structpb.NewNumberValue(float64(value.Uint())), nil
	case value.CanFloat():
		if math.IsNaN(value.Float()) || math.IsInf(value.Float(), 0) {
			return nil, fmt.Errorf("%s has a number that is not finite", name)
		}
		return structpb.NewNumberValue(value.Float()), nil
	case value.Kind() == reflect.Slice && value.Type().Elem().Kind() != reflect.Uint8:
		list := &structpb.ListValue{}
		for index := range value.Len() {
			item, err := buildValue(name, value.Index(index).Interface(), depth+1)
			if err != nil {
				return nil, err
			}
			list.Values = append(list.Values, item)
		}
		return structpb.NewListValue(list), nil
	}
	return nil, fmt.Errorf("%s has a %s, which is not a type of JSON", name, value.Type())
}

func errLargeInteger(name string) error {
	return fmt.Errorf("%s has an integer above 2^53, which would lose digits: send it as text", name)
}
