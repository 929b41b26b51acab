package records

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gabriel-vasile/mimetype"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/field"
)

// upload is one submitted file that is to be a record's.
type upload struct {
	field *pando.Field
	file  pando.Upload
	name  string // under which it will be stored
	mime  string // by its content
}

// newUploads names the files of one field.
func newUploads(ctx context.Context, f *pando.Field, files []pando.Upload) ([]*upload, error) {
	var list []*upload
	for _, file := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		kind, err := detect(file)
		if err != nil {
			return nil, err
		}
		mime, _, _ := strings.Cut(kind.String(), ";")
		list = append(list, &upload{field: f, file: file, name: fileName(file.Name, kind.Extension()), mime: mime})
	}
	return list, nil
}

// detect reads the beginning of a file.
func detect(file pando.Upload) (*mimetype.MIME, error) {
	r, err := file.Open()
	if err != nil {
		return nil, unreadable(err)
	}
	defer r.Close()
	kind, err := mimetype.DetectReader(r)
	if err != nil {
		return nil, unreadable(err)
	}
	return kind, nil
}

func unreadable(err error) error {
	return &pando.Error{Kind: pando.KindInvalid, Message: "Failed to read the submitted data.", Err: err}
}

// check says what is wrong with the file itself.
func (u *upload) check() *pando.FieldError {
	o := u.field.Options.(*pando.FileOptions)
	limit := o.MaxSize
	if limit <= 0 {
		limit = field.DefaultFileSize
	}
	if u.file.Size > limit {
		return &pando.FieldError{
			Code:    "validation_file_size_limit",
			Message: fmt.Sprintf("Failed to upload %s - the maximum allowed file size is %d bytes.", u.file.Name, limit),
			Params:  map[string]any{"file": u.file.Name, "maxSize": limit},
		}
	}
	if len(o.MimeTypes) > 0 && !slices.ContainsFunc(o.MimeTypes, u.is) {
		return &pando.FieldError{
			Code:    "validation_invalid_mime_type",
			Message: fmt.Sprintf("%q mime type must be one of: %s.", u.name, strings.Join(o.MimeTypes, ", ")),
		}
	}
	return nil
}

func (u *upload) is(mime string) bool {
	kind := mimetype.Lookup(u.mime)
	return strings.EqualFold(u.mime, mime) || kind != nil && kind.Is(mime)
}

// checkFiles says what is wrong with the value of a file field: names may only
// be those that the record had, and those of uploads.
func checkFiles(f *pando.Field, old, now []string, uploads []*upload) *pando.FieldError {
	var foreign []string
	for _, name := range now {
		i := slices.IndexFunc(uploads, func(u *upload) bool { return u.field == f && u.name == name })
		switch {
		case i >= 0:
			if err := uploads[i].check(); err != nil {
				return err
			}
		case !slices.Contains(old, name):
			foreign = append(foreign, name)
		}
	}
	if len(foreign) > 0 {
		return &pando.FieldError{
			Code:    "validation_invalid_file",
			Message: "Invalid new files: " + fmt.Sprint(foreign) + ".",
			Params:  map[string]any{"invalidFiles": foreign},
		}
	}
	return nil
}

// open opens the file for being stored; it never yields more than the size that
// was announced and checked.
func (u *upload) open() (io.ReadCloser, error) {
	r, err := u.file.Open()
	if err != nil {
		return nil, unreadable(err)
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(r, u.file.Size), r}, nil
}
