package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// credentials open a bucket.
type credentials struct{ key, secret, token string }

// readCredentials takes those of PANDO_BLOB_KEY and PANDO_BLOB_SECRET, else what
// other programs of Amazon's take. env is what readEnv made of environ.
func readCredentials(env map[string]string, environ []string) (c credentials, err error) {
	c = credentials{key: env[blobKey], secret: env[blobSecret]}
	if (c.key == "") != (c.secret == "") {
		return c, usageError{errors.New("PANDO_BLOB_KEY and PANDO_BLOB_SECRET go together: set both or none")}
	}
	if c.key != "" {
		return c, nil
	}
	for name, field := range map[string]*string{
		"AWS_ACCESS_KEY_ID": &c.key, "AWS_SECRET_ACCESS_KEY": &c.secret, "AWS_SESSION_TOKEN": &c.token,
	} {
		if *field, err = variable(environ, name); err != nil {
			return c, usageError{err}
		}
	}
	return c, nil
}

// variable is the value of NAME, or the content of the file that NAME_FILE names.
func variable(environ []string, name string) (string, error) {
	value, file := "", ""
	for _, entry := range environ {
		key, v, _ := strings.Cut(entry, "=")
		switch key {
		case name:
			value = v
		case name + "_FILE":
			file = v
		}
	}
	if value != "" || file == "" {
		return value, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s_FILE: %w", name, err)
	}
	return strings.TrimRight(string(content), "\r\n"), nil
}
