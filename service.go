package pando

import (
	"context"
	"encoding/json"
	"io"
	"time"
)

// The interfaces of this file are what the web edge asks of the services. Every
// method fails with an *Error, whose kind decides the status.

// Answer is the body of a successful answer: complete JSON, ready to be sent.
// It may be shared with a cache: do not change it.
type Answer []byte

// Projection is how a record is to be shown.
type Projection struct {
	Expand string // comma list of dot paths
	Fields string // comma list of dot paths with modifiers
}

// ListQuery asks for one page of a list. The numbers are as the client sent
// them: bounds are the service's business.
type ListQuery struct {
	Page, PerPage int
	SkipTotal     bool
	Sort, Filter  string
	Projection
}

// Input is a submitted record: values by key, modifiers included ("tags+"), and
// files by the same kind of key.
type Input struct {
	Body  map[string]any
	Files map[string][]Upload
}

// Upload is one submitted file. Open may be called more than once.
type Upload struct {
	Name string // as the client called it; untrusted
	Size int64  // bytes
	Open func() (io.ReadSeekCloser, error)
}

// Records reads and writes records, under the rules of their collections.
// collection is an id, or a name in any case.
type Records interface {
	List(ctx context.Context, req *Request, collection string, q ListQuery) (Answer, error)
	View(ctx context.Context, req *Request, collection, id string, p Projection) (Answer, error)
	Create(ctx context.Context, req *Request, collection string, in Input, p Projection) (Answer, error)
	Update(ctx context.Context, req *Request, collection, id string, in Input, p Projection) (Answer, error)
	Delete(ctx context.Context, req *Request, collection, id string) error
	// Batch carries out all ops in one transaction, or none. The results stand
	// in the order of the ops. A failure is a KindInvalid error whose Data has
	// the failed op's number under "requests".
	Batch(ctx context.Context, req *Request, ops []BatchOp) ([]BatchResult, error)
}

// BatchAction is what one op of a batch does.
type BatchAction string

const (
	BatchCreate BatchAction = "create"
	BatchUpdate BatchAction = "update"
	BatchUpsert BatchAction = "upsert" // update if the body's id exists, else create
	BatchDelete BatchAction = "delete"
)

// BatchOp is one write of a batch.
type BatchOp struct {
	Action     BatchAction
	Collection string
	ID         string // update and delete
	Input      Input
	Projection Projection
	Method     string // as the rules see it
	Query      func(name string) (string, bool)
	Header     func(name string) (string, bool)
}

// BatchResult is the answer to one op.
type BatchResult struct {
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body"` // null after a delete
}

// Collections reads and writes the definitions of collections. Its callers have
// made sure that a superuser asks.
type Collections interface {
	List(ctx context.Context, q ListQuery) (Answer, error)
	View(ctx context.Context, ref, fields string) (Answer, error)
	// Create and Update merge body, a JSON object, into a scaffold or into the
	// stored definition.
	Create(ctx context.Context, body []byte, fields string) (Answer, error)
	Update(ctx context.Context, ref string, body []byte, fields string) (Answer, error)
	Delete(ctx context.Context, ref string) error
	Truncate(ctx context.Context, ref string) error
	Import(ctx context.Context, collections []json.RawMessage, deleteMissing bool) error
	Scaffolds(ctx context.Context) (Answer, error)
	DryRunView(ctx context.Context, query string) (Answer, error)
}

// PasswordLogin is the body of auth-with-password.
type PasswordLogin struct {
	Identity      string `json:"identity"`
	IdentityField string `json:"identityField"`
	Password      string `json:"password"`
}

// Auth knows who asks, and hands out tokens.
type Auth interface {
	// Identify is the record that a token stands for, nil if the token is
	// empty, forged, expired or revoked: a bad token makes a guest, not an error.
	Identify(ctx context.Context, token string) (*Record, error)
	Methods(ctx context.Context, collection, fields string) (Answer, error)
	WithPassword(ctx context.Context, req *Request, collection string, login PasswordLogin, p Projection) (Answer, error)
	// Refresh answers with a new token if the one sent is refreshable, else
	// with the same.
	Refresh(ctx context.Context, req *Request, collection, token string, p Projection) (Answer, error)
	// Impersonate hands a superuser a token of another record, valid for d, or
	// for the collection's usual time if d is 0. It cannot be refreshed.
	Impersonate(ctx context.Context, req *Request, collection, id string, d time.Duration, p Projection) (Answer, error)
	// FileToken is a short-lived token of req.Auth for protected files.
	FileToken(ctx context.Context, req *Request) (string, error)
	// IdentifyFile is the record that a file token stands for, nil as Identify.
	IdentifyFile(ctx context.Context, token string) (*Record, error)
}

// FileQuery says which form of a file is wanted.
type FileQuery struct {
	Thumb string // WxH with an optional t, b or f; "" is the original
	Token string // of a user who may see a protected file
}

// File is an open stored file. The caller closes it.
type File struct {
	io.ReadSeekCloser
	Name        string
	ContentType string
	Size        int64 // bytes
	Modified    time.Time
}

// Files serves the files of records.
type Files interface {
	Open(ctx context.Context, req *Request, collection, id, name string, q FileQuery) (*File, error)
}

// RealtimeEvent is one message to one connected client.
type RealtimeEvent struct {
	Name string
	Data []byte // JSON
}

// RealtimeClient is one connection that events are sent to.
type RealtimeClient interface {
	ID() string
	// Events yields the client's events in commit order. It is closed when the
	// server ends the connection (shutdown, or a client too slow to keep up).
	Events() <-chan RealtimeEvent
	// Close ends the connection; it may be called twice.
	Close()
}

// Realtime tells clients what changes.
type Realtime interface {
	Connect(ctx context.Context, req *Request) (RealtimeClient, error)
	// Subscribe replaces the whole set of subscriptions of a client, and makes
	// req.Auth the connection's identity.
	Subscribe(ctx context.Context, req *Request, clientID string, subscriptions []string) error
}

// SettingsService reads and changes the settings. Its callers have made sure
// that a superuser asks.
type SettingsService interface {
	// Current is the settings in force; shared, not to be changed.
	Current() *Settings
	View(ctx context.Context, fields string) (Answer, error)
	Update(ctx context.Context, body []byte, fields string) (Answer, error)
}
