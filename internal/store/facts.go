package store

import "context"

// Facts reads through a cache. Services ask it instead of a Store wherever an
// answer may be kept; without a cache, [Direct] just reads.
type Facts interface {
	// Read returns the value named by key, from the cache if what it holds is
	// provably current, else from fill run on a fresh snapshot.
	//
	// key is the text of everything that the value depends on besides the data
	// itself, the catalog's version included; what fill reads through the
	// Reader is noted as the value's dependencies by itself. The value is
	// shared by everybody: nobody may change it. key is not kept.
	//
	// fill may run more than once, also after Read has returned. It must read from
	// nothing but its Reader and key's parts, and returns the value with its size
	// in bytes; a size below 0 says that it must not be kept (random order, the
	// time of day). An error is returned as it is and not kept: "not found" is a
	// value like others.
	Read(ctx context.Context, key []byte, fill Fill) (any, error)
}

// Fill makes a value from a snapshot.
type Fill func(ctx context.Context, r Reader) (value any, size int, err error)

// Direct is a Facts without a cache.
type Direct struct{ Store Store }

// Read runs fill.
func (d Direct) Read(ctx context.Context, _ []byte, fill Fill) (any, error) {
	var value any
	err := d.Store.Read(ctx, func(r Reader) error {
		var err error
		value, _, err = fill(ctx, r)
		return err
	})
	return value, err
}
