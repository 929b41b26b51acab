package files

import (
	"bufio"
	"encoding/binary"
	"image"
	"image/color"
	"io"
)

// orientation is how a camera was held, as EXIF numbers it: 1 upright, 2 to 4
// mirrored or upside down, 5 to 8 on its side.
type orientation int

const upright orientation = 1

// exifOrientation reads the orientation of a JPEG; upright if it says nothing.
// Every length is bounded by what it is read from.
func exifOrientation(r *bufio.Reader) orientation {
	var soi [2]byte
	if _, err := io.ReadFull(r, soi[:]); err != nil || soi != [2]byte{0xff, 0xd8} {
		return upright
	}
	for {
		var head [4]byte // marker and length
		if _, err := io.ReadFull(r, head[:]); err != nil || head[0] != 0xff {
			return upright
		}
		size := int(binary.BigEndian.Uint16(head[2:])) - 2
		if size < 0 || head[1] == 0xda { // the image itself begins
			return upright
		}
		if head[1] != 0xe1 { // not APP1
			if _, err := r.Discard(size); err != nil {
				return upright
			}
			continue
		}
		body := make([]byte, size)
		if _, err := io.ReadFull(r, body); err != nil {
			return upright
		}
		if o := tiffOrientation(body); o != 0 {
			return o
		}
	}
}

// tiffOrientation looks through the first directory of an EXIF segment; 0 if it
// has no orientation.
func tiffOrientation(b []byte) orientation {
	if len(b) < 14 || string(b[:6]) != "Exif\x00\x00" {
		return 0
	}
	b = b[6:]
	var order binary.ByteOrder = binary.LittleEndian
	switch string(b[:2]) {
	case "II":
	case "MM":
		order = binary.BigEndian
	default:
		return 0
	}
	at := uint64(order.Uint32(b[4:]))
	if at+2 > uint64(len(b)) {
		return 0
	}
	entries := b[at+2:]
	for range order.Uint16(b[at:]) {
		if len(entries) < 12 {
			return 0
		}
		const tag, short = 0x0112, 3
		if order.Uint16(entries) == tag && order.Uint16(entries[2:]) == short {
			if o := orientation(order.Uint16(entries[8:])); o >= 1 && o <= 8 {
				return o
			}
			return 0
		}
		entries = entries[12:]
	}
	return 0
}

// apply shows src as it was seen.
func (o orientation) apply(src image.Image) image.Image {
	if o <= upright || o > 8 {
		return src
	}
	return turned{src, o}
}

// turned is an image seen in another orientation; nothing is copied.
type turned struct {
	image.Image
	o orientation
}

func (t turned) ColorModel() color.Model { return t.Image.ColorModel() }

func (t turned) Bounds() image.Rectangle {
	b := t.Image.Bounds()
	if t.o >= 5 {
		return image.Rect(0, 0, b.Dy(), b.Dx())
	}
	return image.Rect(0, 0, b.Dx(), b.Dy())
}

func (t turned) At(x, y int) color.Color {
	b := t.Image.Bounds()
	right, bottom := b.Dx()-1, b.Dy()-1
	switch t.o {
	case 2:
		x = right - x
	case 3:
		x, y = right-x, bottom-y
	case 4:
		y = bottom - y
	case 5:
		x, y = y, x
	case 6:
		x, y = y, bottom-x
	case 7:
		x, y = right-y, bottom-x
	case 8:
		x, y = right-y, x
	}
	return t.Image.At(b.Min.X+x, b.Min.Y+y)
}
