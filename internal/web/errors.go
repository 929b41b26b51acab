package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"unicode"
	"unicode/utf8"

	"github.com/pandobase/pando"
)

const genericMessage = "Something went wrong while processing your request."

// errorStatus is the only place that gives a failure its status.
func errorStatus(kind pando.Kind) (status int, message string) {
	switch kind {
	case pando.KindInvalid:
		return http.StatusBadRequest, genericMessage
	case pando.KindUnauthenticated:
		return http.StatusUnauthorized, "Missing or invalid authentication."
	case pando.KindForbidden:
		return http.StatusForbidden, "You are not allowed to perform this request."
	case pando.KindNotFound:
		return http.StatusNotFound, "The requested resource wasn't found."
	case pando.KindTooLarge:
		return http.StatusRequestEntityTooLarge, "Request entity too large."
	case pando.KindTooMany:
		return http.StatusTooManyRequests, "Too Many Requests."
	case pando.KindUnavailable:
		return http.StatusServiceUnavailable, "The server cannot do this now, please try again."
	}
	return http.StatusInternalServerError, genericMessage
}

// errorBody is the JSON of a failure: its keys in alphabetical order.
type errorBody struct {
	Data    any    `json:"data"`
	Message string `json:"message"`
	Status  int    `json:"status"`
}

// describe makes of any error what a client may see of it.
func describe(err error) errorBody {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		err = &pando.Error{Kind: pando.KindTooLarge, Err: err}
	}
	e, ok := errors.AsType[*pando.Error](err)
	if !ok {
		status, message := errorStatus(pando.KindInternal)
		return errorBody{Data: struct{}{}, Message: message, Status: status}
	}
	status, message := errorStatus(e.Kind)
	if e.Message != "" && e.Kind != pando.KindInternal {
		message = sentence(e.Message)
	}
	body := errorBody{Data: struct{}{}, Message: message, Status: status}
	if len(e.Data) > 0 && e.Kind != pando.KindInternal {
		body.Data = publicData(e.Data)
	}
	return body
}

// publicData turns nested errors into JSON. What is neither a check nor a level
// of its own, nor made for JSON, is reduced to "invalid value": the text of a
// stray error is not for clients.
func publicData(data pando.FieldErrors) map[string]any {
	out := make(map[string]any, len(data))
	for key, value := range data {
		switch v := value.(type) {
		case pando.FieldErrors:
			out[key] = publicData(v)
		case *pando.FieldError:
			out[key] = v
		case json.Marshaler:
			out[key] = v
		case *pando.Error:
			out[key] = describe(v)
		case map[string]any:
			out[key] = publicData(v)
		case string, float64, int, bool, nil:
			out[key] = v
		default:
			out[key] = &pando.FieldError{Code: "validation_invalid_value", Message: "Invalid value."}
		}
	}
	return out
}

// sentence makes the first letter a capital and the end a full stop.
func sentence(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if unicode.IsLower(first) {
		s = string(unicode.ToUpper(first)) + s[size:]
	}
	if last, _ := utf8.DecodeLastRuneInString(s); last != '.' && last != '?' && last != '!' {
		s += "."
	}
	return s
}

// fail answers with an error, and logs those that are ours.
func (c *call) fail(err error) {
	if errors.Is(err, http.ErrAbortHandler) {
		panic(err)
	}
	if errors.Is(err, context.Canceled) && c.r.Context().Err() != nil {
		c.status = statusClientGone
		return // nobody listens
	}
	if half, ok := errors.AsType[*pando.MFARequired](err); ok && !c.wrote {
		b, _ := json.Marshal(half) // one string: it cannot fail
		c.json(http.StatusUnauthorized, append(b, '\n'))
		return
	}
	body := describe(err)
	if body.Status >= 500 && !errors.Is(err, errOverload) { // of which there are many, and a number
		c.h.log.Error("request failed", "method", c.r.Method, "route", c.route.Pattern, "status", body.Status, "error", err)
	}
	if c.wrote {
		return
	}
	if body.Status == http.StatusServiceUnavailable {
		c.w.Header()["Retry-After"] = headerRetryAfter
	}
	b, err := json.Marshal(body)
	if err != nil {
		c.h.log.Error("error answer cannot be encoded", "route", c.route.Pattern, "error", err)
		body.Data, body.Message, body.Status = struct{}{}, genericMessage, http.StatusInternalServerError
		b, _ = json.Marshal(body)
	}
	c.json(body.Status, append(b, '\n'))
}

// headerRetryAfter, in seconds: what is unavailable is so for a moment, or for so
// long that it does not matter.
var headerRetryAfter = []string{"1"}

// statusClientGone is what the metrics call a request whose client left before
// the answer (nginx's number for it).
const statusClientGone = 499
