package web

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/pandobase/pando"
)

const (
	messageBatchBody = "Failed to read the submitted batch data."
	messageBatchData = "Invalid batch request data."

	defaultBatchLimit   = 128 * megabyte
	defaultBatchTimeout = 3 * time.Second
	maxBatchURL         = 2000 // runes
)

// batchRequest is one call inside a batch, as submitted.
type batchRequest struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`

	body map[string]any
}

func batchLimit(c *call) int64 {
	if n := c.h.cfg.Settings.Current().Batch.MaxBodySize; n > 0 {
		return n
	}
	return defaultBatchLimit
}

// batchSettings fails if there are to be no batches.
func (c *call) batchSettings() (*pando.Settings, error) {
	settings := c.h.cfg.Settings.Current()
	if !settings.Batch.Enabled || settings.Batch.MaxRequests <= 0 {
		return nil, &pando.Error{Kind: pando.KindForbidden, Message: "Batch requests are not allowed."}
	}
	return settings, nil
}

func batch(c *call) error {
	if _, err := c.batchSettings(); err != nil {
		return err
	}
	requests, err := c.batchRequests()
	if err != nil {
		return err
	}
	settings, err := c.batchSettings() // as they are now that the body has come
	if err != nil {
		return err
	}
	if data := checkBatch(requests, settings.Batch.MaxRequests); len(data) > 0 {
		return &pando.Error{Kind: pando.KindInvalid, Message: messageBatchData, Data: data}
	}
	ops := make([]pando.BatchOp, len(requests))
	for i := range requests {
		if ops[i], err = c.batchOp(settings, &requests[i], i); err != nil {
			return batchFailure(i, err)
		}
	}
	if _, err := c.h.cfg.PickFields([]byte("[]"), c.fields()); err != nil { // before anything is written
		return err
	}
	ctx, cancel := contextWithin(c, settings.Batch.Timeout)
	defer cancel()
	c.req.Context = "batch"
	results, err := c.h.cfg.Records.Batch(ctx, &c.req, ops)
	if err != nil {
		return err
	}
	c.made = true
	return c.picked(encodeResults(results), nil)
}

func encodeResults(results []pando.BatchResult) []byte {
	b := []byte{'['}
	for i, r := range results {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, `{"body":`...), bytes.TrimRight(r.Body, "\n")...)
		b = strconv.AppendInt(append(b, `,"status":`...), int64(r.Status), 10)
		b = append(b, '}')
	}
	return append(b, ']', '\n')
}

// batchRequests reads the body: JSON, or a form whose payload is that JSON and
// whose files are named after the requests that they belong to.
func (c *call) batchRequests() ([]batchRequest, error) {
	contentType := c.contentType()
	if c.hasBody() && !strings.HasPrefix(contentType, "application/json") && !strings.HasPrefix(contentType, "multipart/form-data") {
		return nil, pando.Invalid(messageBatchBody)
	}
	raw, err := c.object(messageBatchBody)
	if err != nil {
		return nil, err
	}
	var f struct {
		Requests []batchRequest `json:"requests"`
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, bodyError(messageBatchBody, err)
	}
	for i := range f.Requests {
		rq := &f.Requests[i]
		rq.body = map[string]any{}
		if len(rq.Body) > 0 {
			if rq.body, err = decodeObject(rq.Body); err != nil {
				return nil, bodyError(messageBatchBody, err)
			}
		}
	}
	return f.Requests, nil
}

func checkBatch(requests []batchRequest, most int) pando.FieldErrors {
	switch {
	case len(requests) == 0:
		return pando.FieldErrors{"requests": required()}
	case len(requests) > most:
		return pando.FieldErrors{"requests": tooLong(most, 0)}
	}
	bad := pando.FieldErrors{}
	for i, rq := range requests {
		one := pando.FieldErrors{}
		switch rq.Method {
		case "":
			one["method"] = required()
		case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		default:
			one["method"] = notAllowed()
		}
		switch {
		case rq.URL == "":
			one["url"] = required()
		case len([]rune(rq.URL)) > maxBatchURL:
			one["url"] = tooLong(maxBatchURL, 0)
		}
		if len(one) > 0 {
			bad[strconv.Itoa(i)] = one
		}
	}
	if len(bad) > 0 {
		return pando.FieldErrors{"requests": bad}
	}
	return nil
}

// batchOp turns a request into the write that it asks for.
func (c *call) batchOp(settings *pando.Settings, rq *batchRequest, number int) (pando.BatchOp, error) {
	rawPath, rawQuery, _ := strings.Cut(rq.URL, "?")
	collection, id, ok := recordPath(rawPath)
	if !ok {
		return pando.BatchOp{}, &pando.Error{Kind: pando.KindInvalid}
	}
	if _, err := url.ParseQuery(rawQuery); err != nil {
		return pando.BatchOp{}, &pando.Error{Kind: pando.KindInvalid, Err: err}
	}
	op := pando.BatchOp{Collection: collection, ID: id, Method: rq.Method}
	tags := []string{"create"}
	switch {
	case rq.Method == http.MethodPost && id == "":
		op.Action = pando.BatchCreate
	case rq.Method == http.MethodPut && id == "":
		op.Action = pando.BatchUpsert
	case rq.Method == http.MethodPatch && id != "":
		op.Action, tags[0] = pando.BatchUpdate, "update"
	case rq.Method == http.MethodDelete && id != "":
		op.Action, tags[0] = pando.BatchDelete, "delete"
	default:
		return op, &pando.Error{Kind: pando.KindInvalid}
	}
	if settings.RateLimits.Enabled {
		if err := c.h.limits.check(settings, c, c.route.Pattern, collection, tags); err != nil {
			return op, err
		}
	}
	op.Input = pando.Input{Body: rq.body, Files: c.batchFiles(number)}
	op.Projection.Expand, _ = queryValue(rawQuery, "expand")
	op.Projection.Fields, _ = queryValue(rawQuery, "fields")
	op.Query = func(name string) (string, bool) { return queryValue(rawQuery, name) }
	headers := make(http.Header, len(rq.Headers))
	for name, value := range rq.Headers {
		if !strings.EqualFold(name, "Authorization") { // the outer call's counts
			headers.Set(name, value)
		}
	}
	op.Header = func(name string) (string, bool) {
		if v, ok := headerValue(headers, name); ok {
			return v, true
		}
		return c.header(name)
	}
	return op, nil
}

// recordPath takes /api/collections/{c}/records and …/records/{id} apart.
func recordPath(path string) (collection, id string, ok bool) {
	rest, absolute := strings.CutPrefix(path, "/")
	parts := strings.Split(rest, "/")
	if !absolute || len(parts) < 4 || len(parts) > 5 || parts[0] != "api" || parts[1] != "collections" || parts[3] != "records" {
		return "", "", false
	}
	collection, err := url.PathUnescape(parts[2])
	if err != nil || collection == "" {
		return "", "", false
	}
	if len(parts) == 5 {
		if id, err = url.PathUnescape(parts[4]); err != nil || id == "" {
			return "", "", false
		}
	}
	return collection, id, true
}

// batchFiles collects the files named requests.N.field or requests[N].field.
func (c *call) batchFiles(number int) map[string][]pando.Upload {
	if c.parsed == nil || len(c.parsed.files) == 0 {
		return nil
	}
	n := strconv.Itoa(number)
	var out map[string][]pando.Upload
	for key, uploads := range c.parsed.files {
		for _, prefix := range []string{"requests." + n + ".", "requests[" + n + "]."} {
			if field, ok := strings.CutPrefix(key, prefix); ok && field != "" {
				if out == nil {
					out = make(map[string][]pando.Upload)
				}
				out[field] = append(out[field], uploads...)
			}
		}
	}
	return out
}

// batchFailure is the failure of one request of a batch, in the form in which
// the service reports those that it finds itself.
func batchFailure(number int, err error) error {
	return &pando.Error{
		Kind:    pando.KindInvalid,
		Message: "Batch transaction failed.",
		Data: pando.FieldErrors{"requests": pando.FieldErrors{strconv.Itoa(number): pando.FieldErrors{
			"code":     "batch_request_failed",
			"message":  "Batch request failed.",
			"response": asError(err),
		}}},
		Err: err,
	}
}
