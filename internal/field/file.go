package field

import (
	"fmt"
	"regexp"

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

var (
	thumbSize  = regexp.MustCompile(`^\d+x\d+[tbf]?$`)
	thumbEmpty = regexp.MustCompile(`^0+x0+[tbf]?$`)
)

func (file) options(f, _ *pando.Field, errs pando.FieldErrors) {
	o := f.Options.(*pando.FileOptions)
	size(errs, "maxSize", o.MaxSize)
	size(errs, "maxSelect", o.MaxSelect)
	for i, thumb := range o.Thumbs {
		switch {
		case thumb == "":
		case thumbEmpty.MatchString(thumb):
			PutItem(errs, "thumbs", i, Forbidden())
		case !thumbSize.MatchString(thumb):
			PutItem(errs, "thumbs", i, InvalidFormat())
		}
	}
}
