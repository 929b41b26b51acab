package store

// Sited is an ability of some Readers: to tell which server of the database answers.
// Who asks must do without it as well.
type Sited interface {
	// Site is the server that answered last, and whether that is a replica; "" before the
	// first question.
	Site() (host string, replica bool)
}
