package files

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
)

func TestThumbSizes(t *testing.T) {
	at := &location{options: &pando.FileOptions{Thumbs: []string{
		"100x50", "100x50t", "0x50", "50x0", "0x0", "9999x1", "1x99999", "junk", "-1x5", "5x5x", "5x5g",
	}}}
	for _, tt := range []struct {
		text string
		want bool
	}{
		{"", false},
		{"100x100", true}, // always
		{"100x50", true},
		{"100x50t", true},
		{"100x50b", false}, // not listed
		{"100x100t", false},
		{"0x50", true},
		{"50x0", true},
		{"0x0", false},
		{"9999x1", false}, // too large to be meant
		{"1x99999", false},
		{"junk", false},
		{"-1x5", false},
		{"5x5x", false},
		{"5x5g", false},
	} {
		if got, ok := at.thumb(tt.text); ok != tt.want || ok && got.text != tt.text {
			t.Errorf("thumb(%q) = %+v, %v", tt.text, got, ok)
		}
	}
}

// The sizes were seen at PocketBase 0.36.8 with an image of 300 by 200.
func TestPlan(t *testing.T) {
	for _, tt := range []struct {
		size          thumbSize
		part          image.Rectangle
		width, height int
	}{
		{thumbSize{width: 100, height: 50}, image.Rect(0, 25, 300, 175), 100, 50},
		{thumbSize{width: 100, height: 50, anchor: 't'}, image.Rect(0, 0, 300, 150), 100, 50},
		{thumbSize{width: 100, height: 50, anchor: 'b'}, image.Rect(0, 50, 300, 200), 100, 50},
		{thumbSize{width: 100, height: 50, anchor: 'f'}, image.Rect(0, 0, 300, 200), 75, 50},
		{thumbSize{width: 1000, height: 20, anchor: 'f'}, image.Rect(0, 0, 300, 200), 30, 20},
		{thumbSize{width: 900, height: 900, anchor: 'f'}, image.Rect(0, 0, 300, 200), 300, 200},
		{thumbSize{height: 50}, image.Rect(0, 0, 300, 200), 75, 50},
		{thumbSize{width: 50}, image.Rect(0, 0, 300, 200), 50, 33},
		{thumbSize{width: 600}, image.Rect(0, 0, 300, 200), 600, 400},
		{thumbSize{width: 400, height: 400}, image.Rect(50, 0, 250, 200), 400, 400},
		{thumbSize{width: 100, height: 100}, image.Rect(50, 0, 250, 200), 100, 100},
	} {
		part, w, h := plan(image.Rect(0, 0, 300, 200), tt.size)
		if part != tt.part || w != tt.width || h != tt.height {
			t.Errorf("%+v: %v %dx%d, want %v %dx%d", tt.size, part, w, h, tt.part, tt.width, tt.height)
		}
	}
	for _, b := range []image.Rectangle{image.Rect(0, 0, 10_000, 1), image.Rect(0, 0, 1, 10_000), image.Rect(5, 5, 6, 6)} {
		for _, s := range []thumbSize{{height: 100}, {width: 100}, {width: 100, height: 100}, {width: 3, height: 900, anchor: 'f'}} {
			part, w, h := plan(b, s)
			if part.Empty() || !part.In(b) || w < 1 || h < 1 || w > maxSide || h > maxSide {
				t.Errorf("%v %+v: %v %dx%d", b, s, part, w, h)
			}
		}
	}
}

// A picture of four colours must keep its corners, however it is scaled.
func TestResizeKeepsTheCorners(t *testing.T) {
	corners := []color.NRGBA{{200, 0, 0, 255}, {0, 200, 0, 255}, {0, 0, 200, 255}, {200, 200, 0, 255}}
	src := image.NewNRGBA(image.Rect(10, 20, 260, 220))
	for y := range 200 {
		for x := range 250 {
			src.SetNRGBA(10+x, 20+y, corners[x/125+y/100*2])
		}
	}
	at := func(m image.Image) (out [4]color.NRGBA) {
		b := m.Bounds()
		for i, p := range []image.Point{
			{b.Min.X, b.Min.Y}, {b.Max.X - 1, b.Min.Y}, {b.Min.X, b.Max.Y - 1}, {b.Max.X - 1, b.Max.Y - 1},
		} {
			out[i] = color.NRGBAModel.Convert(m.At(p.X, p.Y)).(color.NRGBA)
		}
		return out
	}
	for o, want := range map[orientation][4]int{ // which corner is seen top left, top right, bottom left, bottom right
		1: {0, 1, 2, 3}, 2: {1, 0, 3, 2}, 3: {3, 2, 1, 0}, 4: {2, 3, 0, 1},
		5: {0, 2, 1, 3}, 6: {2, 0, 3, 1}, 7: {3, 1, 2, 0}, 8: {1, 3, 0, 2},
	} {
		for _, size := range []thumbSize{{width: 40, height: 40}, {width: 50}, {width: 700, height: 30, anchor: 'f'}, {width: 400}} {
			var wanted [4]color.NRGBA
			for i, c := range want {
				wanted[i] = corners[c]
			}
			if diff := cmp.Diff(wanted, at(resize(src, o, size))); diff != "" {
				t.Errorf("orientation %d, %+v (-want +got):\n%s", o, size, diff)
			}
		}
	}
}

// jpegHead is the beginning of a JPEG with an EXIF orientation.
func jpegHead(order binary.ByteOrder, o uint16) []byte {
	mark := "II*\x00"
	if order == binary.ByteOrder(binary.BigEndian) {
		mark = "MM\x00*"
	}
	exif := append([]byte("Exif\x00\x00"), mark...)
	entry := make([]byte, 12)
	order.PutUint16(entry, 0x0112)
	order.PutUint16(entry[2:], 3)
	order.PutUint32(entry[4:], 1)
	order.PutUint16(entry[8:], o)
	exif = append(exif, 0, 0, 0, 0, 0, 0)
	order.PutUint32(exif[10:], 8)
	order.PutUint16(exif[14:], 1)
	exif = append(exif, entry...)
	head := []byte{0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xe1}
	head = binary.BigEndian.AppendUint16(head, uint16(len(exif)+2))
	return append(head, exif...)
}

func TestExifOrientation(t *testing.T) {
	for o := range orientation(10) {
		for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
			want := o
			if o < 1 || o > 8 {
				want = upright
			}
			head := append(jpegHead(order, uint16(o)), 0xff, 0xda, 0, 2)
			if got := exifOrientation(bufio.NewReader(bytes.NewReader(head))); got != want {
				t.Errorf("%v %d: %d", order, o, got)
			}
		}
	}
}

func FuzzExifOrientation(f *testing.F) {
	f.Add(jpegHead(binary.LittleEndian, 6))
	f.Add(jpegHead(binary.BigEndian, 3))
	f.Add([]byte{0xff, 0xd8, 0xff, 0xe1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if o := exifOrientation(bufio.NewReader(bytes.NewReader(b))); o < 1 || o > 8 {
			t.Errorf("orientation %d", o)
		}
	})
}
