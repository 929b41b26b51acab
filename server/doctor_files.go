package server

import (
	"context"
	"strings"

	"github.com/pandobase/pando/internal/blob/disk"
	"github.com/pandobase/pando/internal/blob/s3"
	"github.com/pandobase/pando/internal/doctor"
)

// examineFiles looks at where a place keeps its files.
func examineFiles(ctx context.Context, place Place) (doctor.Files, error) {
	f := doctor.Files{Address: MaskBlob(place.Blob), Server: place.Database != ""}
	if place.Blob == "" {
		return f, nil
	}
	if dir, ok := strings.CutPrefix(place.Blob, fileScheme); ok {
		if f.Err = sharedDirError(dir); f.Err != nil {
			f.Step = "open"
			return f, nil
		}
		found := disk.Examine(ctx, dir)
		f.Err, f.Step, f.Put, f.Get, f.Delete, f.Skew = found.Err, found.Step, found.Put, found.Get, found.Delete, found.Skew
		f.FreeBytes, f.DiskBytes = diskSpace(dir)
		return f, nil
	}
	o, err := place.s3("doctor")
	if err != nil {
		return f, err
	}
	found, err := s3.Examine(ctx, o)
	f.Plain = found.Plain && !found.Local
	f.Err, f.Step, f.Put, f.Get, f.Delete, f.Skew = found.Err, found.Step, found.Put, found.Get, found.Delete, found.Skew
	return f, err
}
