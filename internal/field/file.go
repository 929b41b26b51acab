package field

import (
	"fmt"

	"github.com/pandobase/pando"
)

// DefaultFileSize is the largest file, in bytes, of a file field that sets no
// limit.
const DefaultFileSize = 5 << 20

type file struct{}

func (file) cast(f *pando.Field, raw any) any { return castList(f, raw) }

func (file) check(f *pando.Field, v any) *pando.FieldError {
	list, o := asList(v), f.Options.(*pando.FileOptions)
	if len(list) == 0 {
		return required(f)
	}
	if limit := max(o.MaxSelect, 1); len(list) > limit {
		return &pando.FieldError{
			Code:    "validation_too_many_files",
			Message: fmt.Sprintf("The maximum allowed files is %d.", limit),
			Params:  map[string]any{"maxSelect": limit},
		}
	}
	return nil
}
