package field

import (
	"fmt"

	"github.com/pandobase/pando"
)

// DefaultEditorSize is the largest HTML text, in bytes, of an editor field that
// sets no limit.
const DefaultEditorSize = 5 << 20

type editor struct{}

func (editor) cast(_ *pando.Field, raw any) any { return toString(raw) }

func (editor) check(f *pando.Field, v any) *pando.FieldError {
	s, limit := v.(string), f.Options.(*pando.EditorOptions).MaxSize
	if s == "" {
		return required(f)
	}
	if limit == 0 {
		limit = DefaultEditorSize
	}
	if int64(len(s)) > limit {
		return &pando.FieldError{
			Code:    "validation_content_size_limit",
			Message: fmt.Sprintf("The maximum allowed content size is %d bytes.", limit),
			Params:  map[string]any{"maxSize": limit},
		}
	}
	return nil
}

func (editor) options(f, _ *pando.Field, errs pando.FieldErrors) {
	size(errs, "maxSize", f.Options.(*pando.EditorOptions).MaxSize)
}
