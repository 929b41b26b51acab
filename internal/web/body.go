package web

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/pandobase/pando"
)

const (
	megabyte         = 1 << 20
	defaultBodyLimit = 32 * megabyte
)

// Messages of bodies that cannot be read, as clients of this API know them.
const (
	messageUnsupported = "Unsupported Content-Type."
	messageLoad        = "An error occurred while loading the submitted data."
	messageFiles       = "Failed to read the submitted data."
	messageValidate    = "An error occurred while validating the submitted data."
)

// bodyError is a body that cannot be read; why is logged and never sent.
func bodyError(message string, why error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(why, &tooLarge) {
		return why
	}
	var e *pando.Error
	if errors.As(why, &e) {
		return why
	}
	return &pando.Error{Kind: pando.KindInvalid, Message: message, Err: why}
}

func (c *call) hasBody() bool { return c.r.ContentLength != 0 }

func (c *call) contentType() string { return c.r.Header.Get("Content-Type") }

// limited is the body, which fails with *http.MaxBytesError beyond the route's
// limit.
func (c *call) limited() (io.ReadCloser, error) {
	limit := c.route.limit(c)
	if c.r.ContentLength > limit {
		return nil, &pando.Error{Kind: pando.KindTooLarge}
	}
	return http.MaxBytesReader(c.w, c.r.Body, limit), nil
}

func (c *call) readAll() ([]byte, error) {
	raw, err := c.receive()
	if err == nil {
		err = c.received()
	}
	return raw, err
}

// received is called when the body has been read.
func (c *call) received() error {
	if err := c.enter(); err != nil {
		return err
	}
	return c.identifyAgain()
}

func (c *call) receive() ([]byte, error) {
	body, err := c.limited()
	if err != nil {
		return nil, err
	}
	if n := c.r.ContentLength; n > 0 && n <= smallBody {
		buf := make([]byte, n) // the usual case: one allocation of the right size
		_, err := io.ReadFull(body, buf)
		return buf, err
	}
	return c.readCharged(body, c.r.ContentLength)
}

// readJSON is readAll for a body that is going to be decoded.
func (c *call) readJSON() ([]byte, error) {
	raw, err := c.readAll()
	if err != nil {
		return nil, err
	}
	return raw, c.chargeValues(raw)
}

// submission reads the body of a write to a record, in any of the forms of
// bodies. An absent body is an empty one.
func (c *call) submission() (pando.Input, error) {
	if !c.hasBody() {
		if strings.HasPrefix(c.contentType(), "multipart/form-data") {
			return pando.Input{}, pando.Invalid(messageFiles) // not even the closing boundary
		}
		return pando.Input{Body: map[string]any{}}, nil
	}
	switch contentType := c.contentType(); {
	case strings.HasPrefix(contentType, "application/json"):
		raw, err := c.readJSON()
		if err != nil {
			return pando.Input{}, bodyError("", err)
		}
		values, err := decodeObject(raw)
		return pando.Input{Body: values}, bodyErrorOrNil("", err)
	case strings.HasPrefix(contentType, "multipart/form-data"), strings.HasPrefix(contentType, "application/x-www-form-urlencoded"):
		f, err := c.form()
		if err != nil {
			return pando.Input{}, err
		}
		values, err := f.object()
		if err != nil {
			return pando.Input{}, bodyError("", err)
		}
		return pando.Input{Body: values, Files: f.files}, nil
	}
	if t := c.contentType(); strings.HasPrefix(t, "application/xml") || strings.HasPrefix(t, "text/xml") {
		// A type that is known, and a body that does not parse: no record fits it.
		return pando.Input{}, &pando.Error{Kind: pando.KindInvalid}
	}
	return pando.Input{}, pando.Invalid(messageUnsupported)
}

func bodyErrorOrNil(message string, err error) error {
	if err == nil {
		return nil
	}
	return bodyError(message, err)
}

// object reads a body whose keys are fixed (a form in the sense of this API)
// and returns it as one JSON object. message is what the client reads if the
// body does not parse or is of another type.
func (c *call) object(message string) ([]byte, error) {
	if !c.hasBody() {
		return []byte("{}"), nil
	}
	switch contentType := c.contentType(); {
	case strings.HasPrefix(contentType, "application/json"):
		raw, err := c.readJSON()
		if err != nil {
			return nil, bodyError(message, err)
		}
		raw, err = firstObject(raw)
		return raw, bodyErrorOrNil(message, err)
	case strings.HasPrefix(contentType, "multipart/form-data"), strings.HasPrefix(contentType, "application/x-www-form-urlencoded"):
		f, err := c.form()
		if err != nil {
			return nil, bodyError(message, err)
		}
		raw, err := f.json()
		return raw, bodyErrorOrNil(message, err)
	}
	return nil, pando.Invalid("%s", message)
}

func checkUTF8(raw []byte) error {
	if !utf8.Valid(raw) {
		return pando.Invalid("The submitted data is not valid UTF-8.")
	}
	return nil
}

// isForm tells whether a body of this type can hold a form.
func isForm(contentType string) bool {
	for _, t := range []string{"application/json", "multipart/form-data", "application/x-www-form-urlencoded"} {
		if strings.HasPrefix(contentType, t) {
			return true
		}
	}
	return false
}
