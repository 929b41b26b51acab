package field

import (
	"regexp"
	"slices"

	"github.com/pandobase/pando"
)

// domain is a DNS name of at least two labels.
var domain = regexp.MustCompile(`^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$`)

// domainAllowed compares exactly: a subdomain is another domain.
func domainAllowed(name string, only, except []string) bool {
	if len(only) > 0 {
		return slices.Contains(only, name)
	}
	return !slices.Contains(except, name)
}

// domainOptions checks the two lists of domains that e-mail and url fields have.
// Naming both what is allowed and what is not says nothing.
func domainOptions(errs pando.FieldErrors, only, except []string) {
	if len(only) > 0 && len(except) > 0 {
		errs["onlyDomains"], errs["exceptDomains"] = MustBeBlank(), MustBeBlank()
		return
	}
	for key, list := range map[string][]string{"onlyDomains": only, "exceptDomains": except} {
		for i, name := range list {
			if name != "" && !domain.MatchString(name) {
				PutItem(errs, key, i, &pando.FieldError{Code: "validation_is_domain", Message: "Must be a valid domain."})
			}
		}
	}
}
