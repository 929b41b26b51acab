package files

import (
	"image"
	"math"

	"golang.org/x/image/draw"
)

// resize makes the thumb of one size of src, shown as o says.
//
// A large image is halved first, as often as leaves more than the thumb needs:
// that is quick, needs little memory, and averages whole pixels, so that the
// good and greedy scaler at the end has at most four pixels for each of its own.
func resize(src image.Image, o orientation, size thumbSize) image.Image {
	for {
		seen := o.apply(src)
		part, width, height := plan(seen.Bounds(), size)
		if part.Dx() < 2*width || part.Dy() < 2*height {
			return scale(seen, part, width, height)
		}
		b := src.Bounds()
		half := image.NewRGBA(image.Rect(0, 0, max(1, b.Dx()/2), max(1, b.Dy()/2)))
		draw.ApproxBiLinear.Scale(half, half.Bounds(), src, b, draw.Src, nil)
		src = half
	}
}

// plan says which part of an image with bounds b a thumb shows, and how large
// the thumb is.
func plan(b image.Rectangle, size thumbSize) (part image.Rectangle, width, height int) {
	w, h := float64(b.Dx()), float64(b.Dy())
	switch {
	case size.width == 0:
		return b, side(w * float64(size.height) / h), size.height
	case size.height == 0:
		return b, size.width, side(h * float64(size.width) / w)
	case size.anchor == 'f':
		k := min(float64(size.width)/w, float64(size.height)/h, 1)
		return b, side(w * k), side(h * k)
	}
	// The largest part of the image that has the shape of the thumb.
	k := max(float64(size.width)/w, float64(size.height)/h)
	cw, ch := min(side(float64(size.width)/k), b.Dx()), min(side(float64(size.height)/k), b.Dy())
	x, y := b.Min.X+(b.Dx()-cw)/2, b.Min.Y+(b.Dy()-ch)/2
	switch size.anchor {
	case 't':
		y = b.Min.Y
	case 'b':
		y = b.Max.Y - ch
	}
	return image.Rect(x, y, x+cw, y+ch), size.width, size.height
}

// side is a length in pixels. It is bounded because an image of 10,000 by 1 has
// no sensible thumb of height 100.
func side(f float64) int { return min(max(1, int(math.Round(f))), maxSide) }

// greedy is the number of bytes of working memory up to which the better of two
// scalers is used.
const greedy = 64 << 20

func scale(src image.Image, part image.Rectangle, width, height int) image.Image {
	dst := image.NewRGBA(image.Rect(0, 0, width, height))
	var scaler draw.Scaler = draw.CatmullRom
	if width*part.Dy()*32 > greedy { // it keeps four floats for each
		scaler = draw.ApproxBiLinear
	}
	scaler.Scale(dst, dst.Bounds(), src, part, draw.Src, nil)
	return dst
}
