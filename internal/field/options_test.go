package field

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
)

func TestCheckOptions(t *testing.T) {
	for _, tt := range []struct{ field, want string }{
		{`{"type":"text","min":-1,"max":-1}`, `{"max":{"code":"validation_min_greater_equal_than_required","message":"Must be no less than 0.","params":{"threshold":0}},"min":{"code":"validation_min_greater_equal_than_required","message":"Must be no less than 0.","params":{"threshold":0}}}`},
		{`{"type":"text","min":5,"max":3}`, `{"max":{"code":"validation_min_greater_equal_than_required","message":"Must be no less than 5.","params":{"threshold":5}}}`},
		{`{"type":"text","max":9007199254740992}`, `{"max":{"code":"validation_max_less_equal_than_required","message":"Must be no greater than 9007199254740991.","params":{"threshold":9007199254740991}}}`},
		{`{"type":"text","pattern":"["}`, `{"pattern":{"code":"validation_invalid_regex","message":"Error parsing regexp: missing closing ]: ` + "`[`" + `."}}`},
		{`{"type":"text","autogeneratePattern":"["}`, `{"autogeneratePattern":{"code":"validation_invalid_regex","message":"Error parsing regexp: missing closing ]: ` + "`[`" + `."}}`},
		{`{"type":"text","autogeneratePattern":"abc","min":10}`, `{"autogeneratePattern":{"code":"validation_invalid_autogenerate_pattern_value","message":"The provided autogenerate pattern could produce invalid field values, ex.: \"abc\"."}}`},
		{`{"type":"text","autogeneratePattern":"[a-z]{3}"}`, ``},
		{`{"type":"text","primaryKey":true,"name":"x","hidden":true}`, `{"hidden":{"code":"validation_empty","message":"Must be blank."},"name":{"code":"validation_in_invalid","message":"The primary key must be named \"id\"."},"pattern":{"code":"validation_required","message":"Cannot be blank."},"required":{"code":"validation_required","message":"Cannot be blank."}}`},
		{`{"type":"number","min":5,"max":3}`, `{"max":{"code":"validation_min_greater_equal_than_required","message":"Must be no less than 5.","params":{"threshold":5}}}`},
		{`{"type":"number","min":1.5,"onlyInt":true}`, `{"min":{"code":"validation_only_int_constraint","message":"Decimal numbers are not allowed."}}`},
		{`{"type":"number","min":0,"max":0}`, ``},
		{`{"type":"email","onlyDomains":["a.com"],"exceptDomains":["b.com"]}`, `{"exceptDomains":{"code":"validation_empty","message":"Must be blank."},"onlyDomains":{"code":"validation_empty","message":"Must be blank."}}`},
		{`{"type":"url","onlyDomains":["a.com","a b"]}`, `{"onlyDomains":{"1":{"code":"validation_is_domain","message":"Must be a valid domain."}}}`},
		{`{"type":"email","exceptDomains":["A.com","b.c",""]}`, ``},
		{`{"type":"editor","maxSize":-1}`, `{"maxSize":{"code":"validation_min_greater_equal_than_required","message":"Must be no less than 0.","params":{"threshold":0}}}`},
		{`{"type":"date","min":"x","max":"y"}`, ``},
		{`{"type":"autodate"}`, `{"onCreate":{"code":"validation_required","message":"Either onCreate or onUpdate must be enabled."},"onUpdate":{"code":"validation_required","message":"Either onCreate or onUpdate must be enabled."}}`},
		{`{"type":"select"}`, `{"values":{"code":"validation_required","message":"Cannot be blank."}}`},
		{`{"type":"select","values":["a"],"maxSelect":2}`, `{"maxSelect":{"code":"validation_max_less_equal_than_required","message":"Must be no greater than 1.","params":{"threshold":1}}}`},
		{`{"type":"file","thumbs":["100x100","0x0","10x10f","axb"]}`, `{"thumbs":{"1":{"code":"validation_not_in_invalid","message":"Must not be in list."},"3":{"code":"validation_match_invalid","message":"Must be in a valid format."}}}`},
		{`{"type":"relation"}`, `{"collectionId":{"code":"validation_required","message":"Cannot be blank."}}`},
		{`{"type":"relation","collectionId":"c","minSelect":3,"maxSelect":2}`, `{"maxSelect":{"code":"validation_min_greater_equal_than_required","message":"Must be no less than 3.","params":{"threshold":3}}}`},
		{`{"type":"relation","collectionId":"c","minSelect":2}`, `{"maxSelect":{"code":"validation_required","message":"Cannot be blank."}}`},
		{`{"type":"password","min":-1,"max":72,"cost":3}`, `{"cost":{"code":"validation_min_greater_equal_than_required","message":"Must be no less than 4.","params":{"threshold":4}},"max":{"code":"validation_max_less_equal_than_required","message":"Must be no greater than 71.","params":{"threshold":71}},"min":{"code":"validation_min_greater_equal_than_required","message":"Must be no less than 1.","params":{"threshold":1}}}`},
	} {
		f := fieldOf(t, tt.field)
		Normalize(f)
		got := ""
		if errs := CheckOptions(f, nil); errs != nil {
			var b strings.Builder
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(errs); err != nil {
				t.Fatal(err)
			}
			got = strings.TrimSpace(b.String())
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("options %s (-want +got):\n%s", tt.field, diff)
		}
	}

	old := fieldOf(t, `{"type":"relation","collectionId":"a"}`)
	errs := CheckOptions(fieldOf(t, `{"type":"relation","collectionId":"b"}`), old)
	if e, _ := errs["collectionId"].(*pando.FieldError); e == nil || e.Code != "validation_field_relation_change" {
		t.Errorf("changing a relation's collection: %v", errs)
	}
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct{ field, in, want string }{
		{`{"type":"text","min":2,"max":4,"pattern":"^[a-z]+$"}`, `"A"`, "validation_min_text_constraint Must be at least 2 character(s)."},
		{`{"type":"text","min":2,"max":4,"pattern":"^[a-z]+$"}`, `"ABCDE"`, "validation_max_text_constraint Must be no more than 4 character(s)."},
		{`{"type":"text","min":2,"max":4,"pattern":"^[a-z]+$"}`, `"éé"`, "validation_invalid_format Invalid value format."},
		{`{"type":"text","min":2}`, `""`, ""},
		{`{"type":"text","required":true}`, `" "`, ""},
		{`{"type":"text","primaryKey":true}`, `""`, "validation_required Cannot be blank."},
		{`{"type":"text"}`, `"` + strings.Repeat("x", 5001) + `"`, "validation_max_text_constraint Must be no more than 5000 character(s)."},
		{`{"type":"number","min":2,"max":4}`, `1`, "validation_min_number_constraint Must be larger than 2.000000."},
		{`{"type":"number","min":2,"max":4}`, `5`, "validation_max_number_constraint Must be less than 4.000000."},
		{`{"type":"number","min":2,"max":4}`, `0`, ""},
		{`{"type":"number","required":true}`, `0`, "validation_required Cannot be blank."},
		{`{"type":"number","onlyInt":true,"min":2}`, `1.5`, "validation_only_int_constraint Decimal numbers are not allowed."},
		{`{"type":"number","onlyInt":true}`, `1e300`, "validation_only_int_constraint Decimal numbers are not allowed."},
		{`{"type":"number"}`, `"NaN"`, "validation_not_a_number The submitted number is not properly formatted."},
		{`{"type":"bool","required":true}`, `false`, "validation_required Cannot be blank."},
		{`{"type":"email","exceptDomains":["bad.com"]}`, `"a@bad.com"`, "validation_email_domain_not_allowed Email domain is not allowed."},
		{`{"type":"email","exceptDomains":["bad.com"]}`, `"a@sub.bad.com"`, ""},
		{`{"type":"email","onlyDomains":["ok.com"]}`, `"a@OK.com"`, "validation_email_domain_not_allowed Email domain is not allowed."},
		{`{"type":"email"}`, `"a@b"`, "validation_is_email Must be a valid email address."},
		{`{"type":"email"}`, `"A <a@b.co>"`, "validation_is_email Must be a valid email address."},
		{`{"type":"email"}`, `"a.b+c@x.co.uk"`, ""},
		{`{"type":"url","exceptDomains":["bad.com"]}`, `"http://u:p@bad.com/x"`, "validation_url_domain_not_allowed Url domain is not allowed."},
		{`{"type":"url","exceptDomains":["bad.com"]}`, `"http://bad.com:80"`, ""},
		{`{"type":"url","onlyDomains":["ok.com"]}`, `"ok.com"`, "validation_url_domain_not_allowed Url domain is not allowed."},
		{`{"type":"url"}`, `"http://localhost"`, ""},
		{`{"type":"url"}`, `"/x"`, "validation_invalid_url Must be a valid url."},
		{`{"type":"editor","maxSize":5}`, `"ééé"`, "validation_content_size_limit The maximum allowed content size is 5 bytes."},
		{`{"type":"date","min":"2024-01-01 00:00:00.120Z"}`, `"2023-01-01"`, "validation_min_greater_equal_than_required Must be no less than 2024-01-01 00:00:00.12 +0000 UTC."},
		{`{"type":"date","max":"2025-01-01"}`, `"2025-01-02"`, "validation_max_less_equal_than_required Must be no greater than 2025-01-01 00:00:00 +0000 UTC."},
		{`{"type":"select","values":["a","b"],"maxSelect":2}`, `["a","b","x"]`, "validation_too_many_values Select no more than 2."},
		{`{"type":"select","values":["a","b"],"maxSelect":2}`, `["a","x!"]`, "validation_invalid_value Invalid value x!"},
		{`{"type":"select","values":["a"]}`, `" 1 "`, "validation_invalid_value Invalid value  1."},
		{`{"type":"json","maxSize":5}`, `[1,2,3]`, "validation_json_size_limit The maximum allowed JSON size is 5 bytes."},
		{`{"type":"json","maxSize":1}`, `null`, ""},
		{`{"type":"json","required":true}`, `"{}"`, "validation_required Cannot be blank."},
		{`{"type":"json","required":true}`, `0`, ""},
		{`{"type":"file","maxSelect":2}`, `["a","b","c"]`, "validation_too_many_files The maximum allowed files is 2."},
		{`{"type":"relation","minSelect":2,"maxSelect":3}`, `["x"]`, "validation_not_enough_values Select at least 2."},
		{`{"type":"relation","minSelect":2,"maxSelect":3}`, `["a","b","c","d"]`, "validation_too_many_values Select no more than 3."},
		{`{"type":"relation","minSelect":2,"maxSelect":3}`, `[]`, ""},
		{`{"type":"password","min":2,"max":4,"pattern":"^[a-z]+$"}`, `"abcde"`, "validation_max_text_constraint Must be less than 4 character(s)."},
		{`{"type":"password","min":2,"pattern":"^[a-z]+$"}`, `"AB"`, "validation_invalid_format Invalid value format."},
		{`{"type":"password"}`, `"` + strings.Repeat("x", 72) + `"`, "validation_max_text_constraint Must be less than 71 character(s)."},
		{`{"type":"geoPoint"}`, `{"lon":500,"lat":500}`, "validation_invalid_latitude Latitude must be between -90 and 90 degrees."},
		{`{"type":"geoPoint"}`, `{"lon":181,"lat":0}`, "validation_invalid_longitude Longitude must be between -180 and 180 degrees."},
		{`{"type":"geoPoint","required":true}`, `{"lon":0,"lat":0}`, "validation_required Cannot be blank."},
	} {
		f := fieldOf(t, tt.field)
		Normalize(f)
		got := ""
		if err := Check(f, Cast(f, decode(t, tt.in))); err != nil {
			got = err.Code + " " + err.Message
		}
		if got != tt.want {
			t.Errorf("%s = %s: %q, want %q", tt.field, tt.in, got, tt.want)
		}
	}
}
