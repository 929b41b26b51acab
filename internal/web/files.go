package web

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/pandobase/pando"
)

var (
	headerFileCSP   = []string{"default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; sandbox"}
	headerFileCache = []string{"max-age=2592000, stale-while-revalidate=86400"}
)

// downloadFile sends a stored file. It can be shown in other sites' pages, so
// whatever is in it must not run as a document of this origin.
func downloadFile(c *call) error {
	var q pando.FileQuery
	q.Thumb, _ = c.query("thumb")
	q.Token, _ = c.query("token")
	file, err := c.h.cfg.Files.Open(c.r.Context(), &c.req, c.path("c"), c.path("id"), c.path("name"), q)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := c.inForce(); err != nil {
		return err
	}

	disposition := "attachment"
	if asked, _ := c.query("download"); !isTrue(asked) && shownInline(file.ContentType) {
		disposition = "inline"
	}
	c.markAge()
	header := c.w.Header()
	delete(header, "X-Frame-Options")
	header.Set("Content-Type", file.ContentType)
	header.Set("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": file.Name}))
	header["Content-Security-Policy"] = headerFileCSP
	header["Cache-Control"] = headerFileCache

	c.leave() // how long the rest takes is up to the client
	c.allowTimeFor(file.Size)
	rec := &statusRecorder{ResponseWriter: c.w}
	c.wrote = true
	http.ServeContent(rec, c.r, file.Name, file.Modified, file)
	c.status = rec.status
	return nil
}

func isTrue(s string) bool {
	b, err := strconv.ParseBool(s)
	return err == nil && b
}

// shownInline tells which types a browser may show in place: those that cannot
// carry scripts.
func shownInline(contentType string) bool {
	t, _, _ := strings.Cut(contentType, ";")
	switch t = strings.ToLower(strings.TrimSpace(t)); t {
	case "image/png", "image/jpg", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp",
		"image/x-ms-bmp", "image/x-icon", "image/vnd.microsoft.icon", "image/apng", "image/heic", "application/pdf":
		return true
	}
	return strings.HasPrefix(t, "video/") || strings.HasPrefix(t, "audio/")
}

// slowestReader is the rate, in bytes per second, below which a download is cut
// off.
const slowestReader = 16 << 10

// allowTimeFor extends the time to write the answer for long bodies.
func (c *call) allowTimeFor(size int64) {
	if need := time.Duration(size/slowestReader) * time.Second; need > WriteTimeout {
		// Where the connection cannot do it (HTTP/1.0 tests), the usual time holds.
		_ = http.NewResponseController(c.w).SetWriteDeadline(time.Now().Add(need))
	}
}
