package files

import (
	"regexp"
	"slices"
	"strconv"
)

// thumbSize is one form of thumb: WxH fills the box and cuts off what stands
// out, in the middle or, with t or b, at the other end; WxHf fits into the box;
// with one of the sides 0, that side follows from the other.
type thumbSize struct {
	text          string
	width, height int  // pixels
	anchor        byte // 0, t, b or f
}

// defaultThumb may be asked for whatever the field says.
const defaultThumb = "100x100"

// maxSide bounds what a thumb is scaled to, in pixels. Sizes are written by
// superusers, but a slip of a key must not take the server down.
const maxSide = 8192

var thumbPattern = regexp.MustCompile(`^(\d{1,5})x(\d{1,5})([tbf]?)$`)

// thumb is the form that a client asked for, if it may be made.
func (at *location) thumb(text string) (thumbSize, bool) {
	if text == "" || text != defaultThumb && !slices.Contains(at.options.Thumbs, text) {
		return thumbSize{}, false
	}
	m := thumbPattern.FindStringSubmatch(text)
	if m == nil {
		return thumbSize{}, false
	}
	size := thumbSize{text: text}
	size.width, _ = strconv.Atoi(m[1])
	size.height, _ = strconv.Atoi(m[2])
	if m[3] != "" {
		size.anchor = m[3][0]
	}
	if size.width == 0 && size.height == 0 || size.width > maxSide || size.height > maxSide {
		return thumbSize{}, false
	}
	return size, true
}
