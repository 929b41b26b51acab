package store

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/pandobase/pando"
)

func TestIsUnknown(t *testing.T) {
	unknown := &pando.Error{Kind: pando.KindUnavailable, Data: pando.FieldErrors{"outcome": "unknown"}}
	field := pando.FieldErrors{"outcome": &pando.FieldError{Code: "validation_required"}}
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{unknown, true},
		{fmt.Errorf("import: %w", unknown), true},
		{errors.New("disk I/O error"), true},
		{&pando.Error{Err: errors.New("panic")}, true},
		{&pando.Error{Kind: pando.KindUnavailable, Message: "The storage is full."}, false},
		{&pando.Error{Kind: pando.KindInvalid, Data: field}, false},
		{pando.NotFound(), false},
		{context.Canceled, false},
		{fmt.Errorf("write: %w", context.DeadlineExceeded), false},
	} {
		if got := IsUnknown(c.err); got != c.want {
			t.Errorf("%v: %t, want %t", c.err, got, c.want)
		}
	}
}
