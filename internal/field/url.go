package field

import (
	neturl "net/url"

	"github.com/asaskevich/govalidator"

	"github.com/pandobase/pando"
)

type url struct{}

func (url) cast(_ *pando.Field, raw any) any { return toString(raw) }

func (url) check(f *pando.Field, v any) *pando.FieldError {
	s, o := v.(string), f.Options.(*pando.URLOptions)
	if s == "" {
		return required(f)
	}
	if !govalidator.IsURL(s) {
		return &pando.FieldError{Code: "validation_invalid_url", Message: "Must be a valid url."}
	}
	if len(o.OnlyDomains)+len(o.ExceptDomains) == 0 {
		return nil
	}
	// The host is compared with its port, if it has one.
	if u, err := neturl.Parse(s); err != nil || !domainAllowed(u.Host, o.OnlyDomains, o.ExceptDomains) {
		return &pando.FieldError{Code: "validation_url_domain_not_allowed", Message: "Url domain is not allowed."}
	}
	return nil
}

func (url) options(f, _ *pando.Field, errs pando.FieldErrors) {
	o := f.Options.(*pando.URLOptions)
	domainOptions(errs, o.OnlyDomains, o.ExceptDomains)
}
