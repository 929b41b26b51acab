package pando

// Request is what rules, hooks and filters may see of the call that they are
// asked about (`@request.…` in the rule language).
type Request struct {
	Context string  // default, expand, realtime, protectedFile, batch, oauth2, otp, password
	Method  string  // GET, POST …
	Auth    *Record // who asks; nil is a guest. Shared: do not change it.
	RealIP  string  // the client's address, for throttling

	// Body is the submitted body, as the rules see it: after modifiers.
	Body map[string]any

	// Query and Header look one value up, so that nothing is copied for rules
	// that do not ask. Header names come in lower snake_case. Either may be nil.
	Query  func(name string) (string, bool)
	Header func(name string) (string, bool)
}

// IsSuperuser tells whether the caller passes every rule.
func (r *Request) IsSuperuser() bool { return r.Auth.IsSuperuser() }

// With is a copy of r in another context.
func (r *Request) With(context string) *Request {
	c := *r
	c.Context = context
	return &c
}
