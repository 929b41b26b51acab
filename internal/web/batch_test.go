package web

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/wire"
)

func TestBatch(t *testing.T) {
	f := newFake()
	f.settings.Batch.Enabled = true
	h := f.handler(t)
	w := request(h, "POST", "/api/batch?fields=status", `{"requests":[
		{"method":"POST","url":"/api/collections/open/records?expand=a&fields=b%2Cc","body":{"t":1},"headers":{"X-A":"inner","Authorization":"super"}},
		{"method":"PUT","url":"/api/collections/open/records","body":{"id":"x"}},
		{"method":"PATCH","url":"/api/collections/op%20en/records/y","body":null},
		{"method":"DELETE","url":"/api/collections/open/records/z"}]}`, jsonType, "X-B: outer")
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	input := func(m map[string]any) pando.Input { return pando.Input{Body: m} }
	want := []pando.BatchOp{
		{Action: pando.BatchCreate, Collection: "open", Method: "POST", Input: input(map[string]any{"t": 1.0}), Projection: pando.Projection{Expand: "a", Fields: "b,c"}},
		{Action: pando.BatchUpsert, Collection: "open", Method: "PUT", Input: input(map[string]any{"id": "x"})},
		{Action: pando.BatchUpdate, Collection: "op en", ID: "y", Method: "PATCH", Input: input(map[string]any{})},
		{Action: pando.BatchDelete, Collection: "open", ID: "z", Method: "DELETE", Input: input(map[string]any{})},
	}
	if diff := cmp.Diff(want, f.ops, cmpopts.IgnoreFields(pando.BatchOp{}, "Query", "Header")); diff != "" {
		t.Error(diff)
	}
	if f.req.Context != "batch" || f.req.Auth != nil {
		t.Errorf("context %q, auth %v", f.req.Context, f.req.Auth)
	}
	for name, want := range map[string]string{"x_a": "inner", "x_b": "outer"} {
		if got, _ := f.ops[0].Header(name); got != want {
			t.Errorf("header %s = %q, want %q", name, got, want)
		}
	}
	if _, ok := f.ops[0].Header("authorization"); ok {
		t.Error("the inner Authorization is seen")
	}
	if got, _ := f.ops[0].Query("expand"); got != "a" {
		t.Errorf("query expand = %q", got)
	}
}

func TestBatchFiles(t *testing.T) {
	f := newFake()
	f.settings.Batch.Enabled = true
	body, header := multipartBody(t,
		[2]string{"@jsonPayload", `{"requests":[{"method":"POST","url":"/api/collections/open/records","body":{"t":1}},` +
			`{"method":"POST","url":"/api/collections/open/records"}]}`},
		[2]string{"requests.0.f<a>", "1"}, [2]string{"requests[1].f+<b>", "2"}, [2]string{"requests.1.t", "ignored"},
		[2]string{"requests.9.f<c>", "3"}, [2]string{"x<d>", "4"})
	w := request(f.handler(t), "POST", "/api/batch", body, header)
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	var got []string
	for _, op := range f.ops {
		for key, uploads := range op.Input.Files {
			got = append(got, key+"="+uploads[0].Name)
		}
	}
	if diff := cmp.Diff([]string{"f=a", "f+=b"}, got); diff != "" {
		t.Error(diff)
	}
}

// What cannot be picked from the answer is refused before anything is written.
func TestBatchFieldsAreCheckedFirst(t *testing.T) {
	f := newFake()
	f.settings.Batch.Enabled = true
	h := f.handler(t, func(cfg *Config) { cfg.PickFields = wire.Pick })
	w := request(h, "POST", "/api/batch?fields=status:nope", `{"requests":[{"method":"DELETE","url":"/api/collections/open/records/x"}]}`, jsonType)
	if w.Code != 400 || f.ops != nil {
		t.Errorf("%d %s, written: %v", w.Code, w.Body, f.ops)
	}
}

// The body of a batch comes as late as its client likes. What counts is what holds then.
func TestBatchGoesByTheSettingsBehindItsBody(t *testing.T) {
	const two = `{"requests":[{"method":"DELETE","url":"` + createURL + `/x"},{"method":"DELETE","url":"` + createURL + `/y"}]}`
	for name, tt := range map[string]struct {
		change func(*pando.Settings)
		status int
	}{
		"the same":           {func(*pando.Settings) {}, 200},
		"no batches":         {func(s *pando.Settings) { s.Batch.Enabled = false }, 403},
		"fewer requests":     {func(s *pando.Settings) { s.Batch.MaxRequests = 1 }, 400},
		"fewer of each kind": {func(s *pando.Settings) { s.RateLimits = deletesOnce }, 400},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.settings.Batch.Enabled = true
			r := httptest.NewRequest("POST", "/api/batch", &lateBody{strings.NewReader(two), func() {
				next := *f.settings
				tt.change(&next)
				f.settings = &next
			}})
			r.ContentLength = -1
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			f.handler(t).ServeHTTP(w, r)
			if w.Code != tt.status || (f.ops == nil) != (tt.status != 200) {
				t.Errorf("%d %s, written: %v", w.Code, w.Body, f.ops)
			}
		})
	}
}

var deletesOnce = pando.RateLimitSettings{Enabled: true, Rules: []pando.RateLimitRule{{Label: "open:delete", Duration: 60, MaxRequests: 1}}}

func TestBatchRefusals(t *testing.T) {
	failed := func(n, message, status string) string {
		return `{"data":{"requests":{"` + n + `":{"code":"batch_request_failed","message":"Batch request failed.","response":{"data":{},"message":"` +
			message + `","status":` + status + `}}}},"message":"Batch transaction failed.","status":400}`
	}
	one := func(method, url string) string {
		return `{"requests":[{"method":"` + method + `","url":"` + url + `"}]}`
	}
	for _, test := range []struct{ body, want string }{
		{`{`, `{"data":{},"message":"Failed to read the submitted batch data.","status":400}`},
		{`{"requests":{}}`, `{"data":{},"message":"Failed to read the submitted batch data.","status":400}`},
		{`{"requests":[{"method":"POST","url":"/x","body":[1]}]}`, `{"data":{},"message":"Failed to read the submitted batch data.","status":400}`},
		{`{}`, `{"data":{"requests":{"code":"validation_required","message":"Cannot be blank."}},"message":"Invalid batch request data.","status":400}`},
		{`{"requests":[{}]}`, `{"data":{"requests":{"0":{"method":{"code":"validation_required","message":"Cannot be blank."},"url":{"code":"validation_required","message":"Cannot be blank."}}}},"message":"Invalid batch request data.","status":400}`},
		{one("post", "/x"), `{"data":{"requests":{"0":{"method":{"code":"validation_in_invalid","message":"Must be a valid value."}}}},"message":"Invalid batch request data.","status":400}`},
		{one("POST", strings.Repeat("a", 2001)), `{"data":{"requests":{"0":{"url":{"code":"validation_length_too_long","message":"The length must be no more than 2000.","params":{"max":2000,"min":0}}}}},"message":"Invalid batch request data.","status":400}`},
		{`{"requests":[{},{},{}]}`, `{"data":{"requests":{"code":"validation_length_too_long","message":"The length must be no more than 2.","params":{"max":2,"min":0}}},"message":"Invalid batch request data.","status":400}`},
		{one("GET", createURL), failed("0", genericMessage, "400")},
		{one("POST", "/api/health"), failed("0", genericMessage, "400")},
		{one("POST", createURL+"/"), failed("0", genericMessage, "400")},
		{one("PATCH", createURL), failed("0", genericMessage, "400")},
		{one("POST", "http://127.0.0.1"+createURL), failed("0", genericMessage, "400")},
	} {
		f := newFake()
		f.settings.Batch.Enabled, f.settings.Batch.MaxRequests = true, 2
		w := request(f.handler(t), "POST", "/api/batch", test.body, jsonType)
		if diff := cmp.Diff(test.want+"\n", w.Body.String()); diff != "" {
			t.Errorf("%s: %s", test.body, diff)
		}
	}
	w := request(newFake().handler(t), "POST", "/api/batch", "{", jsonType)
	if w.Code != 403 || !strings.Contains(w.Body.String(), "Batch requests are not allowed.") {
		t.Errorf("disabled: %d %s", w.Code, w.Body)
	}
}
