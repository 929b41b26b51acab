package s3

import (
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/minio/minio-go/v7/pkg/s3utils"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob"
)

// Scheme begins the addresses that this package reads.
const Scheme = "s3://"

// Address is where files lie: s3://bucket/prefix?endpoint=…&region=…&path-style=….
type Address struct {
	Bucket, Prefix string // prefix without slashes around it; "" is none
	Endpoint       string // host, or host:port
	Plain          bool   // http instead of https
	Region         string
	PathStyle      string // true, false, or "" for what the endpoint is known for
}

const (
	defaultRegion = "us-east-1"
	form          = "s3://BUCKET/PREFIX?endpoint=https://HOST:PORT&region=REGION&path-style=true"
	maxPrefix     = 200 // bytes; a key may have 1,024 in all
)

var parameters = []string{"endpoint", "region", "path-style"}

// Parse reads an address. Errors never show what may be a password.
func Parse(text string) (a Address, err error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "s3" {
		return a, pando.Invalid("--blob is no address of a bucket: write it as %s.", form)
	}
	if u.User != nil {
		return a, pando.Invalid("--blob must not have a key or a secret in it: set PANDO_BLOB_KEY and PANDO_BLOB_SECRET.")
	}
	a.Bucket, a.Prefix = u.Host, strings.Trim(u.Path, "/")
	if err := s3utils.CheckValidBucketNameStrict(a.Bucket); err != nil {
		return a, pando.Invalid("--blob: %q cannot be a bucket (%v): write it as %s.", a.Bucket, err, form)
	}
	if a.Prefix != "" && (blob.CheckKey(a.Prefix) != nil || len(a.Prefix) > maxPrefix) {
		return a, pando.Invalid("--blob: the prefix %.50q cannot be used: write names with slashes between, in %d bytes.", a.Prefix, maxPrefix)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || u.Fragment != "" {
		return a, pando.Invalid("--blob: what stands behind the question mark cannot be read: write it as %s.", form)
	}
	for name, values := range query {
		if !slices.Contains(parameters, name) {
			return a, pando.Invalid("--blob: there is no %.50q: after the question mark stand endpoint, region or path-style. A key and a secret go into PANDO_BLOB_KEY and PANDO_BLOB_SECRET.", name)
		}
		if len(values) != 1 || values[0] == "" {
			return a, pando.Invalid("--blob: %s is given %d times or is empty: give it once, or leave it out.", name, len(values))
		}
	}
	a.Region = query.Get("region")
	if a.Region == "" {
		a.Region = defaultRegion
	}
	if a.PathStyle = query.Get("path-style"); !slices.Contains([]string{"", "true", "false"}, a.PathStyle) {
		return a, pando.Invalid("--blob: path-style is true or false, not %.50q.", a.PathStyle)
	}
	return a, a.setEndpoint(query.Get("endpoint"))
}

func (a *Address) setEndpoint(text string) error {
	if text == "" {
		a.Endpoint = "s3." + a.Region + ".amazonaws.com"
		if a.Region == defaultRegion {
			a.Endpoint = "s3.amazonaws.com"
		}
		return nil
	}
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.Hostname() == "" ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return pando.Invalid("--blob: endpoint is no address of a server: write it as https://HOST or https://HOST:PORT, and the bucket before the question mark.")
	}
	a.Endpoint, a.Plain = u.Host, u.Scheme == "http"
	return nil
}

// String is the address in full; there is no secret in it.
func (a Address) String() string {
	text := Scheme + a.Bucket
	if a.Prefix != "" {
		text += "/" + a.Prefix
	}
	text += "?endpoint=" + a.url()
	if a.Region != defaultRegion {
		text += "&region=" + url.QueryEscape(a.Region)
	}
	if a.PathStyle != "" {
		text += "&path-style=" + a.PathStyle
	}
	return text
}

func (a Address) url() string {
	if a.Plain {
		return "http://" + a.Endpoint
	}
	return "https://" + a.Endpoint
}

// local tells whether the endpoint is this machine.
func (a Address) local() bool {
	host, _, err := net.SplitHostPort(a.Endpoint)
	if err != nil {
		host = a.Endpoint
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
