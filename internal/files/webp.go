package files

import (
	"bytes"
	"encoding/binary"
	"image"
	"io"

	"golang.org/x/image/webp"
)

// webpConfig is the size that decoding a webp file takes. An extended file begins
// with the size of a canvas, which is all that [webp.DecodeConfig] looks at; the
// decoder makes room for the canvas, as far as there is an alpha channel, and for
// the picture with a size of its own.
func webpConfig(r io.Reader, canvas image.Config) (image.Config, error) {
	var head [12]byte // RIFF, the length, WEBP
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return image.Config{}, err
	}
	for {
		var chunk [8]byte // name and length
		if _, err := io.ReadFull(r, chunk[:]); err != nil {
			return image.Config{}, err
		}
		size := int64(binary.LittleEndian.Uint32(chunk[4:]))
		padded := size + size%2
		if name := string(chunk[:4]); name != "VP8 " && name != "VP8L" {
			if _, err := io.CopyN(io.Discard, r, padded); err != nil {
				return image.Config{}, err
			}
			continue
		}
		binary.LittleEndian.PutUint32(head[4:], uint32(min(4+8+padded, 1<<32-2))) // a file of this chunk alone
		picture, err := webp.DecodeConfig(io.MultiReader(bytes.NewReader(head[:]), bytes.NewReader(chunk[:]), r))
		picture.Width, picture.Height = max(picture.Width, canvas.Width), max(picture.Height, canvas.Height)
		return picture, err
	}
}
