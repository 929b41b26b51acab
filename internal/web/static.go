package web

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzhttp"

	"github.com/pandobase/pando"
)

// static serves the files of one directory. The directory is opened anew for
// each request, so it may appear, or be replaced as a whole, while the server
// runs; os.Root keeps every path and link inside it.
type static struct {
	dir        string
	compressed http.Handler
}

func newStatic(dir string) *static {
	s := &static{dir: dir}
	wrap, err := gzhttp.NewWrapper(gzhttp.SuffixETag(compressedETag))
	if err != nil {
		panic(err) // constant options
	}
	s.compressed = wrap(http.HandlerFunc(s.send))
	return s
}

// fallback answers what no route of the API did: pages first, then files.
func fallback(c *call) error {
	p := c.r.URL.Path
	if p == "/api" || strings.HasPrefix(p, "/api/") {
		return notFound(c)
	}
	pages := c.h.cfg.Pages
	if pages != nil && pages.Serves(c.r) {
		if err := c.h.await(c.r.Context()); err != nil {
			return err
		}
		c.foreign(pages)
		return nil
	}
	if c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
		return notFound(c)
	}
	if err := c.h.static.serve(c); pando.KindOf(err) != pando.KindNotFound || pages == nil || !wantsPage(c.r) {
		return err
	}
	if err := c.h.await(c.r.Context()); err != nil { // it is a page
		return err
	}
	c.foreign(http.HandlerFunc(pages.NotFound))
	return nil
}

// foreign lets a handler answer that knows nothing of calls.
func (c *call) foreign(h http.Handler) {
	c.wrote = true
	rec := &statusRecorder{ResponseWriter: c.w, before: func() error {
		c.leave()
		return c.begin()
	}}
	h.ServeHTTP(rec, c.r)
	c.status = rec.status
}

// begin is called before the answer of a handler begins that knows nothing of calls.
func (c *call) begin() error {
	err := c.h.inForce(c.r.Context())
	c.markAge()
	return err
}

func notFound(*call) error { return pando.NotFound() }

// staticFile is the file that a request is answered with.
type staticFile struct {
	*os.File
	info fs.FileInfo
}

func (s *static) serve(c *call) error {
	if s.dir == "" {
		return pando.NotFound()
	}
	root, err := os.OpenRoot(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return notFound(c)
	}
	if err != nil {
		return err
	}
	defer root.Close()
	name, ok := fileName(c.r.URL.Path)
	if !ok {
		return notFound(c)
	}
	file, err := openFile(root, name)
	if errors.Is(err, errIsDir) {
		if !strings.HasSuffix(c.r.URL.Path, "/") {
			c.redirect(path.Base(c.r.URL.Path) + "/")
			return nil
		}
		file, err = openFile(root, path.Join(name, "index.html"))
	}
	if err != nil && wantsPage(c.r) {
		// A single-page app has its own routes: they all are its index.
		file, err = openFile(root, "index.html")
		c.w.Header().Set("Cache-Control", "no-cache")
	}
	if err != nil {
		c.w.Header().Del("Cache-Control")
		return notFound(c)
	}
	defer file.Close()
	c.leave()
	c.allowTimeFor(file.info.Size())
	rec := &statusRecorder{ResponseWriter: c.w}
	c.wrote = true
	s.compressed.ServeHTTP(rec, c.r.WithContext(withFile(c.r.Context(), file)))
	c.status = rec.status
	return nil
}

// compressedETag tells the compressed form of a file from the plain one.
const compressedETag = "-gzip"

// send is the innermost handler, below compression.
func (s *static) send(w http.ResponseWriter, r *http.Request) {
	file := fileOf(r.Context())
	w.Header().Set("ETag", etag(file.info))
	if match := r.Header.Get("If-None-Match"); strings.Contains(match, compressedETag) {
		r.Header.Set("If-None-Match", strings.ReplaceAll(match, compressedETag+`"`, `"`))
	}
	http.ServeContent(w, r, file.info.Name(), file.info.ModTime(), file)
}

func etag(info fs.FileInfo) string {
	return `"` + strconv.FormatInt(info.ModTime().UnixNano(), 36) + "-" + strconv.FormatInt(info.Size(), 36) + `"`
}

// redirect sends to a path relative to the asked one.
func (c *call) redirect(to string) {
	if q := c.r.URL.RawQuery; q != "" {
		to += "?" + q
	}
	c.status, c.wrote = http.StatusPermanentRedirect, true
	c.w.Header().Set("Location", "./"+to)
	c.w.WriteHeader(c.status)
}

// fileName is the name of a URL path below the public directory. Names that
// begin with a dot (.git, .env) are not for the public, but .well-known is.
func fileName(urlPath string) (string, bool) {
	name := strings.TrimPrefix(path.Clean("/"+urlPath), "/")
	if name == "" {
		return ".", true
	}
	for i, part := range strings.Split(name, "/") {
		if strings.HasPrefix(part, ".") && !(i == 0 && part == ".well-known") {
			return "", false
		}
	}
	return name, fs.ValidPath(name) && !strings.ContainsAny(name, "\\\x00")
}

var errIsDir = errors.New("is a directory")

func openFile(root *os.Root, name string) (*staticFile, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		err = errIsDir
	case !info.Mode().IsRegular():
		err = fs.ErrNotExist
	default:
		return &staticFile{File: f, info: info}, nil
	}
	f.Close()
	return nil, err
}

// wantsPage tells a browser on its way to a page from one that lacks a script:
// an index in place of a missing script would only hide the mistake.
func wantsPage(r *http.Request) bool {
	return path.Ext(r.URL.Path) == "" || strings.Contains(r.Header.Get("Accept"), "text/html")
}
