package field

import (
	"github.com/spf13/cast"

	"github.com/pandobase/pando"
)

type boolean struct{}

func (boolean) cast(_ *pando.Field, raw any) any { return cast.ToBool(raw) }

func (boolean) check(f *pando.Field, v any) *pando.FieldError {
	if !v.(bool) {
		return required(f)
	}
	return nil
}

func (boolean) options(_, _ *pando.Field, _ pando.FieldErrors) {}
