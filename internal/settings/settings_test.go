package settings_test

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/settings"
	"github.com/pandobase/pando/internal/store/sqlite"
)

func open(t *testing.T) (*settings.Service, *sqlite.Store) {
	t.Helper()
	s, err := sqlite.Open(sqlite.Options{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return settings.New(s), s
}

const defaults = `{"smtp":{"enabled":false,"port":587,"host":"smtp.example.com","username":"","authMethod":"","tls":false,"localName":""},` +
	`"backups":{"cron":"","cronMaxKeep":3,"s3":{"enabled":false,"bucket":"","region":"","endpoint":"","accessKey":"","forcePathStyle":false}},` +
	`"s3":{"enabled":false,"bucket":"","region":"","endpoint":"","accessKey":"","forcePathStyle":false},` +
	`"meta":{"appName":"Acme","appURL":"http://localhost:8090","senderName":"Support","senderAddress":"support@example.com","hideControls":false},` +
	`"rateLimits":{"rules":[{"label":"*:auth","audience":"","duration":3,"maxRequests":2},{"label":"*:create","audience":"","duration":5,"maxRequests":20},` +
	`{"label":"/api/batch","audience":"","duration":1,"maxRequests":3},{"label":"/api/","audience":"","duration":10,"maxRequests":300}],"enabled":false},` +
	`"trustedProxy":{"headers":[],"useLeftmostIP":false},"batch":{"enabled":false,"maxRequests":50,"timeout":3,"maxBodySize":0},` +
	`"logs":{"maxDays":5,"minLevel":0,"logIP":true,"logAuthId":false}}`

func TestDefaults(t *testing.T) {
	s, _ := open(t)
	for _, body := range []string{"", "{}", `{"unknown":1}`} {
		got, err := s.Update(t.Context(), []byte(body), "")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(defaults, string(got)); diff != "" {
			t.Errorf("after %q (-want +got):\n%s", body, diff)
		}
	}
}

func TestUpdateMergesAndKeepsSecrets(t *testing.T) {
	s, db := open(t)
	for _, body := range []string{
		`{"smtp":{"password":"hush1"},"s3":{"enabled":true,"bucket":"b","region":"r","endpoint":"http://x","accessKey":"k","secret":"hush2"}}`,
		`{"smtp":{"host":"mail.example.com"},"s3":{"bucket":"c"},"backups":{"s3":{"secret":"hush3"}}}`,
		`{"rateLimits":{"rules":[{"label":"x","audience":"@guest","duration":1,"maxRequests":1}]}}`,
		`{"rateLimits":{"rules":[{"label":"y","duration":1,"maxRequests":1}]}}`,
	} {
		got, err := s.Update(t.Context(), []byte(body), "")
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if strings.Contains(string(got), "hush") {
			t.Errorf("the answer shows a secret: %s", got)
		}
	}
	now := s.Current()
	if now != db.Catalog().Settings {
		t.Error("the settings in force are not the catalog's")
	}
	if now.SMTP.Password != "hush1" || now.S3.Secret != "hush2" || now.Backups.S3.Secret != "hush3" {
		t.Errorf("secrets: %+v %+v %+v", now.SMTP, now.S3, now.Backups.S3)
	}
	if now.SMTP.Host != "mail.example.com" || now.S3.Bucket != "c" || now.S3.Region != "r" {
		t.Errorf("merged: %+v %+v", now.SMTP, now.S3)
	}
	if diff := cmp.Diff([]pando.RateLimitRule{{Label: "y", Duration: 1, MaxRequests: 1}}, now.RateLimits.Rules); diff != "" {
		t.Errorf("rules are merged by position (-want +got):\n%s", diff)
	}
	picked, err := s.View(t.Context(), "meta.appName")
	if err != nil || string(picked) != `{"meta":{"appName":"Acme"}}` {
		t.Errorf("View: %s %v", picked, err)
	}
}

func TestUpdateRefuses(t *testing.T) {
	s, _ := open(t)
	const (
		blank = `{"code":"validation_required","message":"Cannot be blank."}`
		url   = `{"code":"validation_is_url","message":"Must be a valid URL."}`
		host  = `{"code":"validation_is_host","message":"Must be a valid IP address or DNS name."}`
	)
	atLeast := func(n string) string {
		return `{"code":"validation_min_greater_equal_than_required","message":"Must be no less than ` + n + `.","params":{"threshold":` + n + `}}`
	}
	for _, tt := range []struct{ body, want string }{
		{`{"meta":{"appName":"","appURL":"x","senderName":"","senderAddress":"x"}}`, `{"meta":{"appName":` + blank + `,"appURL":` + url +
			`,"senderAddress":{"code":"validation_is_email","message":"Must be a valid email address."},"senderName":` + blank + `}}`},
		{`{"meta":{"appName":"` + strings.Repeat("x", 256) + `"}}`, `{"meta":{"appName":{"code":"validation_length_out_of_range","message":"The length must be between 1 and 255.","params":{"max":255,"min":1}}}}`},
		{`{"logs":{"maxDays":-1}}`, `{"logs":{"maxDays":` + atLeast("0") + `}}`},
		{`{"smtp":{"enabled":true,"host":"","port":0,"authMethod":"X","localName":"a b"}}`, `{"smtp":{"authMethod":{"code":"validation_in_invalid","message":"Must be a valid value."},"host":` + blank + `,"localName":` + host + `,"port":` + blank + `}}`},
		{`{"smtp":{"port":-1}}`, `{"smtp":{"port":` + atLeast("0") + `}}`},
		{`{"s3":{"enabled":true}}`, `{"s3":{"accessKey":` + blank + `,"bucket":` + blank + `,"endpoint":` + blank + `,"region":` + blank + `,"secret":` + blank + `}}`},
		{`{"s3":{"endpoint":"a b"}}`, `{"s3":{"endpoint":` + url + `}}`},
		{`{"backups":{"cron":"x","cronMaxKeep":0}}`, `{"backups":{"cron":{"code":"validation_invalid_cron","message":"Invalid cron expression - must be a valid macro or to have exactly 5 space separated segments."},"cronMaxKeep":` + blank + `}}`},
		{`{"backups":{"cron":"0 25 * * *"}}`, `{"backups":{"cron":{"code":"validation_invalid_cron","message":"Invalid cron expression - invalid segment value \"25\"."}}}`},
		{`{"backups":{"cronMaxKeep":-1}}`, `{"backups":{"cronMaxKeep":` + atLeast("1") + `}}`},
		{`{"batch":{"enabled":true,"maxRequests":0,"timeout":-1,"maxBodySize":-1}}`, `{"batch":{"maxBodySize":` + atLeast("0") + `,"maxRequests":` + blank + `,"timeout":` + atLeast("0") + `}}`},
		{`{"rateLimits":{"enabled":true,"rules":[]}}`, `{"rateLimits":{"rules":` + blank + `}}`},
		{`{"rateLimits":{"rules":[{"label":"x y","audience":"z"},{"label":"x","duration":-1,"maxRequests":1},{"label":"x","duration":1,"maxRequests":1}]}}`,
			`{"rateLimits":{"rules":{"0":{"audience":{"code":"validation_in_invalid","message":"Must be a valid value."},"duration":` + blank + `,"label":{"code":"validation_match_invalid","message":"Must be in a valid format."},"maxRequests":` + blank + `},` +
				`"1":{"duration":` + atLeast("1") + `},"2":{"label":{"code":"validation_conflicting_rate_limit_rule","message":"Rate limit rule configuration with label x already exists or conflicts with another rule.","params":{"label":"x"}}}}}}`},
		{`{"superuserIPs":["10.0.0.0/8","x"]}`, `{"superuserIPs":{"1":{"code":"validation_invlaid_ip_or_subnet","message":"Invalid IP address or subnet."}}}`},
	} {
		_, err := s.Update(t.Context(), []byte(tt.body), "")
		e, ok := err.(*pando.Error)
		if !ok || e.Kind != pando.KindInvalid {
			t.Errorf("%s: %v", tt.body, err)
			continue
		}
		got, err := json.Marshal(e.Data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, string(got)); diff != "" || e.Message != "An error occurred while saving the new settings." {
			t.Errorf("%s: %s (-want +got):\n%s", tt.body, e.Message, diff)
		}
	}
	for _, body := range []string{"{", "[]", "null", `{"meta":5}`, `"x"`} {
		_, err := s.Update(t.Context(), []byte(body), "")
		e, ok := err.(*pando.Error)
		if !ok || e.Message != "An error occurred while loading the submitted data." {
			t.Errorf("%s: %v", body, err)
		}
	}
	if got, _ := s.View(t.Context(), ""); string(got) != defaults {
		t.Errorf("refused updates changed the settings: %s", got)
	}
	for _, body := range []string{
		`{"backups":{"cron":"*/5 0-6,12 1 * 1"}}`, `{"backups":{"cron":"@daily"}}`, `{"superuserIPs":["127.0.0.1","::1/128"]}`,
		`{"rateLimits":{"rules":[{"label":"GET /a/","duration":1,"maxRequests":1},{"label":"a:b","duration":1,"maxRequests":1},{"label":"*:c","audience":"@guest","duration":1,"maxRequests":1},{"label":"*:c","audience":"@auth","duration":1,"maxRequests":1}]}}`,
	} {
		if _, err := s.Update(t.Context(), []byte(body), ""); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
}
