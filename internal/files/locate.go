package files

import (
	"context"
	"slices"
	"strconv"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob"
	"github.com/pandobase/pando/internal/store"
)

// location is where a file lies and who decides about it. It is shared.
type location struct {
	record  *pando.Record // the one that was asked for: its collection's rules count
	options *pando.FileOptions
	name    string
	key     string // in the blob store
}

// maxViewDepth bounds how far a file is followed through views of views.
const maxViewDepth = 8

// locate finds a file of the record id; nil if that record does not name it.
func (f *Files) locate(
	ctx context.Context, catalog *store.Catalog, c *pando.Collection, id, name string,
) (*location, error) {
	key := append(make([]byte, 0, 128), "file\x00"...)
	key = strconv.AppendUint(key, catalog.Version, 36)
	for _, part := range []string{c.ID, id, name} {
		key = append(append(key, 0), part...)
	}
	v, err := f.facts.Read(store.One(ctx), key, func(ctx context.Context, r store.Reader) (any, int, error) {
		if err := moved(r.Catalog(), catalog); err != nil {
			return nil, 0, err
		}
		at, err := find(ctx, r, c, id, name)
		if err != nil || at == nil {
			return nil, -1, err // not kept: anybody can make up names
		}
		return at, 512 + len(at.key) + store.SizeOf(at.record), nil
	})
	if err != nil {
		return nil, err
	}
	at, _ := v.(*location)
	return at, nil
}

func find(ctx context.Context, r store.Reader, c *pando.Collection, id, name string) (*location, error) {
	rec, err := r.Record(ctx, c, id)
	if err != nil {
		if pando.KindOf(err) == pando.KindNotFound {
			return nil, nil
		}
		return nil, err
	}
	field, options := fileField(rec, name)
	if field == nil {
		return nil, nil
	}
	at := &location{record: rec, options: options, name: name}
	if !c.IsView() {
		at.key = blob.Key(c.ID, rec.ID(), name)
		return at, nil
	}
	at.key, err = originKey(ctx, r, c, field.Name, name, maxViewDepth)
	if err != nil || at.key == "" {
		return nil, err
	}
	return at, nil
}

// fileField is the file field of rec that holds name.
func fileField(rec *pando.Record, name string) (*pando.Field, *pando.FileOptions) {
	for _, f := range rec.Collection.Fields {
		if o, ok := f.Options.(*pando.FileOptions); ok && slices.Contains(rec.Strings(f.Name), name) {
			return f, o
		}
	}
	return nil, nil
}

// originKey is where the file lies that a view shows in one of its columns, ""
// if it cannot be found. A view does not say which records a row was made of,
// but the names of files are unique, so the origin is whoever names it.
func originKey(
	ctx context.Context, r store.Reader, view *pando.Collection, column, name string, depth int,
) (string, error) {
	if depth == 0 {
		return "", nil
	}
	columns, err := r.DescribeView(ctx, view.ViewQuery)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(columns, func(c store.ViewColumn) bool { return c.Name == column })
	if i < 0 || columns[i].Table == "" {
		return "", nil
	}
	origin := r.Catalog().Collection(columns[i].Table)
	if origin == nil {
		return "", nil
	}
	if origin.IsView() {
		return originKey(ctx, r, origin, columns[i].Column, name, depth-1)
	}
	page, err := r.Find(ctx, store.Query{
		Collection: origin, Match: []store.Match{{Field: columns[i].Column, Value: name}}, Limit: 1, IDsOnly: true,
	})
	if err != nil || len(page.Records) == 0 {
		return "", err
	}
	return blob.Key(origin.ID, page.Records[0].ID(), name), nil
}
