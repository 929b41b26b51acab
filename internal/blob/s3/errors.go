package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"

	"github.com/minio/minio-go/v7"

	"github.com/pandobase/pando"
)

// failure is the error of an operation as the contract has it: what is not there
// is not found, what this store or this server refuses is not to be had now.
func failure(ctx context.Context, op, key string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("blob/s3: %s %s: %w", op, key, ctx.Err()) // who asked has gone
	case isMissing(err):
		return pando.NotFound()
	}
	return &pando.Error{
		Kind: pando.KindUnavailable, Message: "The file storage cannot be reached now, please try again.",
		Err: fmt.Errorf("blob/s3: %s %s: %w", op, key, err),
	}
}

func isMissing(err error) bool { return code(err) == minio.NoSuchKey }

// code is what the server calls the failure; "" if it did not say.
func code(err error) string {
	if e, ok := errors.AsType[minio.ErrorResponse](err); ok {
		return e.Code
	}
	return ""
}

// explain says what is wrong with the configuration, or with what it points to, in
// one line, and what to do.
func (s *Store) explain(err error) error {
	if pando.KindOf(err) == pando.KindInvalid {
		return err // said already
	}
	e, _ := errors.AsType[minio.ErrorResponse](err)
	where := s.at.url()
	invalid := func(format string, args ...any) error { return pando.Invalid(format, args...) }
	switch e.Code {
	case minio.NoSuchBucket:
		return invalid("There is no bucket %q at %s: make it, or correct bucket and endpoint in --blob.", s.at.Bucket, where)
	case "InvalidAccessKeyId", "XAdminUserNotFound": // versitygw's name for it
		return invalid("%s does not know the key in PANDO_BLOB_KEY: correct it.", where)
	case "SignatureDoesNotMatch":
		return invalid("%s does not take the secret: correct PANDO_BLOB_SECRET.", where)
	case "ExpiredToken", "InvalidToken", "TokenRefreshRequired":
		return invalid("%s does not take the session token (AWS_SESSION_TOKEN), or it has run out: get new credentials.", where)
	case "RequestTimeTooSkewed":
		return invalid("This machine's clock and that of %s are too far apart: set both by NTP.", where)
	case "AuthorizationHeaderMalformed", "PermanentRedirect", "InvalidRegion", "IllegalLocationConstraintException":
		hint := "write its region into --blob, region=REGION"
		if e.Region != "" && e.Region != s.at.Region {
			hint = "write region=" + e.Region + " into --blob"
		}
		return invalid("Bucket %q is not in region %s: %s.", s.at.Bucket, s.at.Region, hint)
	}
	var cert *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	switch {
	case errors.As(err, &cert), errors.As(err, &unknown), errors.As(err, &host):
		return invalid("The certificate of %s cannot be trusted (%v): correct the host in --blob, or give its authority in SSL_CERT_FILE.", where, err)
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return invalid("%s does not speak TLS: write endpoint=http://%s into --blob.", where, s.at.Endpoint)
	case e.StatusCode == http.StatusUnauthorized, e.StatusCode == http.StatusForbidden:
		return invalid("%s does not let this key use bucket %q (%s): check PANDO_BLOB_KEY and PANDO_BLOB_SECRET, and let it list, get, put and delete.", where, s.at.Bucket, e.Code)
	case e.StatusCode >= 400 && e.StatusCode < 500:
		return invalid("%s does not answer as S3 does (%s): correct endpoint= in --blob.", where, e.Code)
	}
	return &pando.Error{
		Kind:    pando.KindUnavailable,
		Message: fmt.Sprintf("The file storage %s does not answer (%s): start it, or correct endpoint= in --blob.", where, reason(err, e)),
	}
}

// reason is the innermost of what went wrong on the way.
func reason(err error, e minio.ErrorResponse) string {
	var dns *net.DNSError
	switch {
	case e.StatusCode >= 500:
		return http.StatusText(e.StatusCode)
	case errors.As(err, &dns):
		return "no such host"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, errSlow), errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "it took too long"
	}
	text := err.Error()
	if i := strings.LastIndex(text, ": "); i >= 0 {
		text = text[i+2:]
	}
	return text
}
