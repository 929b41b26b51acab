package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestCredentials(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, secret, token := file("key", "k\n"), file("secret", "s\r\n"), file("token", "t")
	for _, tt := range []struct {
		env  []string
		want credentials
		err  string
	}{
		{nil, credentials{}, ""},
		{[]string{"PANDO_BLOB_KEY=k", "PANDO_BLOB_SECRET=s"}, credentials{key: "k", secret: "s"}, ""},
		{[]string{"PANDO_BLOB_KEY_FILE=" + key, "PANDO_BLOB_SECRET_FILE=" + secret}, credentials{key: "k", secret: "s"}, ""},
		{[]string{"AWS_ACCESS_KEY_ID=k", "AWS_SECRET_ACCESS_KEY=s", "AWS_SESSION_TOKEN=t"}, credentials{"k", "s", "t"}, ""},
		{[]string{"AWS_ACCESS_KEY_ID_FILE=" + key, "AWS_SECRET_ACCESS_KEY_FILE=" + secret, "AWS_SESSION_TOKEN_FILE=" + token}, credentials{"k", "s", "t"}, ""},
		{[]string{"PANDO_BLOB_KEY=k", "PANDO_BLOB_SECRET=s", "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x", "AWS_SESSION_TOKEN=x"}, credentials{key: "k", secret: "s"}, ""},
		{[]string{"PANDO_BLOB_SECRET=s"}, credentials{}, "go together"},
		{[]string{"AWS_ACCESS_KEY_ID_FILE=" + filepath.Join(dir, "none")}, credentials{}, "AWS_ACCESS_KEY_ID_FILE"},
	} {
		s, err := loadSettings(pflag.NewFlagSet("", pflag.ContinueOnError), tt.env)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%q: %v, want %q", tt.env, err, tt.err)
			}
			continue
		}
		if err != nil || s.blob != tt.want {
			t.Errorf("%q: %+v, %v", tt.env, s.blob, err)
		}
		for _, o := range options {
			if v := s.String(o.name); v != o.def {
				t.Errorf("%q: option %s is %q", tt.env, o.name, v)
			}
		}
	}
	// Neither flag nor key of the file.
	config := file("pando.yaml", "blob-secret: s\n")
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	addFlags(flags)
	if err := flags.Parse([]string{"--config", config}); err != nil {
		t.Fatal(err)
	}
	if _, err := loadSettings(flags, nil); err == nil || !strings.Contains(err.Error(), "unknown key") {
		t.Errorf("a secret in the file: %v", err)
	}
	if flags.Lookup("blob-secret") != nil {
		t.Error("there is a flag for the secret")
	}
}

func TestBlobIsShownWithoutSecrets(t *testing.T) {
	for address, want := range map[string]string{
		"":                       "",
		"file:///mnt/files":      "file:///mnt/files",
		"s3://bkt/p?endpoint=h":  "s3://bkt/p?endpoint=https://h",
		"s3://k:hunter2@bkt":     "(no address)",
		"s3://bkt?token=hunter2": "(no address)",
		"hunter2":                "(no address)",
	} {
		s, err := loadSettings(pflag.NewFlagSet("", pflag.ContinueOnError), []string{"PANDO_BLOB=" + address})
		if err != nil || s.shown("blob") != want {
			t.Errorf("%s is shown as %q, %v", address, s.shown("blob"), err)
		}
	}
}
