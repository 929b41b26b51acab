package field

import (
	"strings"

	"github.com/pandobase/pando"
)

type email struct{}

func (email) cast(_ *pando.Field, raw any) any { return toString(raw) }

func (email) check(f *pando.Field, v any) *pando.FieldError {
	s, o := v.(string), f.Options.(*pando.EmailOptions)
	if s == "" {
		return required(f)
	}
	if err := Email(s); err != nil {
		return err
	}
	if !domainAllowed(s[strings.LastIndexByte(s, '@')+1:], o.OnlyDomains, o.ExceptDomains) {
		return &pando.FieldError{Code: "validation_email_domain_not_allowed", Message: "Email domain is not allowed."}
	}
	return nil
}

func (email) options(f, _ *pando.Field, errs pando.FieldErrors) {
	o := f.Options.(*pando.EmailOptions)
	domainOptions(errs, o.OnlyDomains, o.ExceptDomains)
}
