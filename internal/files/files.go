// Package files serves the files of records, protects those that are not for
// everybody, makes thumbs of images, and tidies up after a crash.
//
// A request for a file goes: locate (which record names it, as a fact), allow
// (protected fields only: the view rule, asked for the user of the file token),
// then the file itself or a thumb of it, made on first request.
package files

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// Files is the [pando.Files] of one server. Its methods may be called at once.
type Files struct {
	store    store.Store
	facts    store.Facts
	blobs    blob.Store
	identify func(ctx context.Context, token string) (*pando.Record, error)
	checkIP  func(rec *pando.Record, ip string) error
	thumbs   *thumbs
	grace    time.Duration
	clock    *position.Clock
	log      *slog.Logger
}

var _ pando.Files = (*Files)(nil)

// Config is what [Files] is made of.
type Config struct {
	Store store.Store
	Facts store.Facts
	Blobs blob.Store
	// Identify is who a file token stands for, nil if nobody.
	Identify func(ctx context.Context, token string) (*pando.Record, error)
	// CheckIP fails if who is identified may not ask from an address; nil: all may.
	CheckIP func(rec *pando.Record, ip string) error
	// MaxPixels bounds the images that thumbs are made of; of larger ones the
	// original is served. 0 means 40 million, which take about 160 MB.
	MaxPixels int
	// Grace is how long a file or a transaction may still be on its way when the
	// process that sent it is gone; 0 if it goes with the process.
	Grace time.Duration
	// Clock tells whether what the store shows may be old; nil: it never is.
	Clock *position.Clock
	Log   *slog.Logger // thumbs that could not be made; nil: nowhere
}

// New makes a Files. It starts nothing of its own.
func New(c Config) *Files {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = position.NewClock(position.NewIndex(0), 0)
	}
	return &Files{
		store: c.Store, facts: c.Facts, blobs: c.Blobs, identify: c.Identify, checkIP: c.CheckIP,
		thumbs: newThumbs(c.Blobs, c.MaxPixels), grace: c.Grace, clock: c.Clock, log: c.Log,
	}
}

// Open opens a file of a record, or a thumb of it. It fails with KindNotFound if
// there is no such file, or the caller may not see it.
func (f *Files) Open(
	ctx context.Context, req *pando.Request, collection, id, name string, q pando.FileQuery,
) (*pando.File, error) {
	at, err := f.decide(ctx, req, collection, id, name, q.Token)
	if err != nil {
		return nil, err
	}
	if size, ok := at.thumb(q.Thumb); ok {
		if file, err := f.openThumb(ctx, at, size); file != nil || err != nil {
			return file, err
		}
	}
	o, err := f.blobs.Open(ctx, at.key)
	if err != nil {
		return nil, err
	}
	return describe(o, name)
}

// decide finds a file that the user of the file token may see. It begins anew where the
// collections are changed meanwhile: an older rule is not asked about newer data.
func (f *Files) decide(ctx context.Context, req *pando.Request, collection, id, name, token string) (*location, error) {
	var err error
	for range maxRestarts {
		var at *location
		if at, err = f.decideBy(ctx, req, f.store.Catalog(), collection, id, name, token); !errors.Is(err, errMoved) {
			return at, err
		}
	}
	return nil, &pando.Error{
		Kind: pando.KindUnavailable, Err: err,
		Message: "The collections are being changed at this moment. Please try again.",
	}
}

// maxRestarts bounds how often one request begins anew.
const maxRestarts = 20

// errMoved says that the collections are not those any more that a request began with.
var errMoved = errors.New("files: the collections were changed meanwhile")

// moved fails if the catalog of now is not that which a request began with.
func moved(now, began *store.Catalog) error {
	if now.Version != began.Version {
		return errMoved
	}
	return nil
}

func (f *Files) decideBy(
	ctx context.Context, req *pando.Request, catalog *store.Catalog, collection, id, name, token string,
) (*location, error) {
	c := catalog.Collection(collection)
	if c == nil {
		return nil, &pando.Error{Kind: pando.KindNotFound, Message: "Missing or invalid collection context."}
	}
	at, err := f.locate(ctx, catalog, c, id, name)
	if err != nil {
		return nil, err
	}
	if at == nil {
		return nil, pando.NotFound()
	}
	if !at.options.Protected {
		return at, nil
	}
	return at, f.allow(ctx, req, catalog, at.record, token)
}

// openThumb opens a thumb, making it if need be; nil if there can be none: then
// the original has to do. It fails if the store does not answer, for then the
// original cannot be had either. Thumbs lie in the store: one that another server
// has made is there, and if two make the same at once the later takes its place.
func (f *Files) openThumb(ctx context.Context, at *location, size thumbSize) (*pando.File, error) {
	name := size.text + "_" + at.name
	key := blob.Thumbs(at.key) + "/" + name
	o, err := f.blobs.Open(ctx, key)
	if err != nil && pando.KindOf(err) == pando.KindUnavailable {
		return nil, err
	}
	if err != nil && pando.KindOf(err) == pando.KindNotFound {
		if err = f.thumbs.make(ctx, at.key, key, size); err == nil {
			o, err = f.blobs.Open(ctx, key)
		}
	}
	if err == nil {
		var file *pando.File
		if file, err = describe(o, name); err == nil {
			return file, nil
		}
	}
	if ctx.Err() == nil {
		f.log.Debug("no thumb, the original is served", "key", key, "error", err)
	}
	return nil, nil
}

// allow fails with KindNotFound unless the user of the file token may view rec.
func (f *Files) allow(
	ctx context.Context, req *pando.Request, catalog *store.Catalog, rec *pando.Record, token string,
) error {
	user, err := f.identify(ctx, token)
	if err == nil {
		err = moved(f.store.Catalog(), catalog)
	}
	if err != nil {
		return err
	}
	if f.checkIP != nil {
		if err := f.checkIP(user, req.RealIP); err != nil {
			return err
		}
	}
	if user.IsSuperuser() {
		return nil
	}
	text := rec.Collection.ViewRule
	if text == nil {
		return pando.NotFound()
	}
	if *text == "" {
		return nil
	}
	compiled, err := catalog.Rule(rec.Collection, *text)
	if err != nil {
		return &pando.Error{Kind: pando.KindNotFound, Message: pando.NotFound().Message, Err: err}
	}
	asked := req.With("protectedFile")
	asked.Auth = user // the Authorization header does not count: image tags send none
	condition := store.Condition{Rule: compiled, Request: asked}
	var ok bool
	if compiled.Local() {
		ok, err = condition.Holds(ctx, nil, rec)
	} else {
		err = f.store.Read(ctx, func(r store.Reader) error {
			if err := moved(r.Catalog(), catalog); err != nil {
				return err
			}
			var err error
			ok, err = condition.Holds(ctx, r, rec)
			return err
		})
	}
	if err != nil {
		return err
	}
	if !ok {
		return pando.NotFound()
	}
	return nil
}

// describe makes an open blob a file, and says what is in it.
func describe(o blob.Object, name string) (*pando.File, error) {
	kind, err := contentType(o, name)
	if err != nil {
		o.Close()
		return nil, err
	}
	return &pando.File{
		ReadSeekCloser: o, Name: name, ContentType: kind, Size: o.Size(), Modified: o.Modified().Truncate(time.Second),
	}, nil
}

var _ io.ReadSeekCloser = (*pando.File)(nil)
