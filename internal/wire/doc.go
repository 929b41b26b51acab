// Package wire is the JSON forms of the web API: how a record and a page of
// records are written, and how the `fields` parameter picks parts of any JSON
// body.
//
// Everything here appends to a buffer that the caller owns and answers exactly
// as encoding/json does for the same value: map keys sorted, HTML characters
// escaped. Start reading at [Plan], which knows how the records of one
// collection are written, and at [Picker].
package wire
