package files

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"runtime"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob"
)

// defaultMaxPixels is what a decoded image of about 160 MB has.
const defaultMaxPixels = 40_000_000

var (
	errNoImage  = errors.New("files: not an image that thumbs are made of")
	errTooLarge = errors.New("files: the image has too many pixels to make a thumb of")
)

// thumbs makes thumbs: each once however many ask (other servers that are asked at the
// same moment make it too), few at once, and none of images that would fill the memory.
// What cannot be made is remembered by nobody; finding that out takes a few bytes of the
// file.
type thumbs struct {
	blobs     blob.Store
	maxPixels int
	room      *semaphore.Weighted
	flights   singleflight.Group
}

func newThumbs(b blob.Store, maxPixels int) *thumbs {
	if maxPixels <= 0 {
		maxPixels = defaultMaxPixels
	}
	// One at a time on small machines: a thumb takes a processor and, at worst,
	// several bytes for each of maxPixels.
	return &thumbs{blobs: b, maxPixels: maxPixels, room: semaphore.NewWeighted(int64(max(1, runtime.GOMAXPROCS(0)/2)))}
}

// make stores the thumb of the image at original under key.
func (t *thumbs) make(ctx context.Context, original, key string, size thumbSize) error {
	// Whoever asked first may go away while others wait for the same thumb.
	work := context.WithoutCancel(ctx)
	done := t.flights.DoChan(key, func() (any, error) {
		if err := t.room.Acquire(work, 1); err != nil {
			return nil, err
		}
		defer t.room.Release(1)
		// It may have come since somebody looked for it, made here or by another server.
		if o, err := t.blobs.Open(work, key); err == nil {
			return nil, o.Close()
		}
		return nil, t.render(work, original, key, size)
	})
	select {
	case r := <-done:
		return r.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *thumbs) render(ctx context.Context, original, key string, size thumbSize) error {
	src, o, format, err := t.decode(ctx, original)
	if err != nil {
		return err
	}
	var buf bytes.Buffer
	if err := encode(&buf, resize(src, o, size), format); err != nil {
		return fmt.Errorf("files: thumb: %w", err)
	}
	return t.keep(ctx, original, key, &buf)
}

// keep stores a finished thumb, unless its original went away meanwhile: nobody
// would ever remove it. The note covers a crash between the two.
func (t *thumbs) keep(ctx context.Context, original, key string, data io.Reader) error {
	note := []string{key}
	if err := t.blobs.Undecided(ctx, note); err != nil {
		return err
	}
	err := t.blobs.Put(ctx, key, data)
	if errors.Is(err, blob.ErrAstray) {
		return err // it may arrive yet; the note stays
	}
	if err == nil {
		var o blob.Object
		if o, err = t.blobs.Open(ctx, original); err == nil {
			o.Close()
		} else if pando.KindOf(err) == pando.KindNotFound {
			err = errors.Join(err, t.blobs.Delete(ctx, key))
		}
	}
	return errors.Join(err, t.blobs.Decided(ctx, note))
}

// decode reads an image, after a look at how large it claims to be.
func (t *thumbs) decode(ctx context.Context, key string) (image.Image, orientation, string, error) {
	fail := func(err error) (image.Image, orientation, string, error) { return nil, 0, "", err }
	file, err := t.blobs.Open(ctx, key)
	if err != nil {
		return fail(err)
	}
	defer file.Close()
	config, format, err := image.DecodeConfig(bufio.NewReader(file))
	if err == nil && format == "webp" {
		if _, err = file.Seek(0, io.SeekStart); err == nil {
			config, err = webpConfig(bufio.NewReader(file), config)
		}
	}
	if err != nil || config.Width <= 0 || config.Height <= 0 {
		return fail(errNoImage)
	}
	if int64(config.Width)*int64(config.Height) > int64(t.maxPixels) {
		return fail(errTooLarge)
	}
	o := upright
	if format == "jpeg" {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return fail(err)
		}
		o = exifOrientation(bufio.NewReader(file))
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fail(err)
	}
	src, _, err := image.Decode(bufio.NewReader(file)) // of a gif, the first frame
	if err != nil {
		return fail(fmt.Errorf("%w: %w", errNoImage, err))
	}
	return src, o, format, nil
}

// encode writes a thumb in the format of its original; there is no encoder for
// webp, so that becomes png, which browsers tell by the content type.
func encode(w io.Writer, m image.Image, format string) error {
	switch format {
	case "jpeg":
		return jpeg.Encode(w, m, &jpeg.Options{Quality: 90})
	case "gif":
		return gif.Encode(w, m, nil)
	}
	return png.Encode(w, m)
}
