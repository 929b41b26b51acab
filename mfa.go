package pando

// MFARequired is a login that was right as far as it went: the collection wants
// a second one by another method, with this id beside it. It is answered with
// status 401 and the error itself as the body.
type MFARequired struct {
	ID string `json:"mfaId"`
}

// Error says it to people.
func (e *MFARequired) Error() string { return "A second way to log in is required." }
