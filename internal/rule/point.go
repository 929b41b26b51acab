package rule

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/pandobase/pando"
)

// ParsePoint reads what [PointText] writes, in any form of JSON; anything else is
// 0,0.
func ParsePoint(raw []byte) pando.GeoPoint {
	if p, ok := plainPoint(string(raw)); ok {
		return p
	}
	var p pando.GeoPoint
	if json.Unmarshal(raw, &p) != nil {
		return pando.GeoPoint{}
	}
	return p
}

// plainPoint reads the very form of PointText.
func plainPoint(s string) (p pando.GeoPoint, ok bool) {
	s, ok = strings.CutPrefix(s, `{"lon":`)
	if !ok {
		return p, false
	}
	lon, lat, ok := strings.Cut(s, `,"lat":`)
	if !ok || !strings.HasSuffix(lat, "}") {
		return p, false
	}
	var err1, err2 error
	p.Lon, err1 = strconv.ParseFloat(lon, 64)
	p.Lat, err2 = strconv.ParseFloat(lat[:len(lat)-1], 64)
	return p, err1 == nil && err2 == nil && !math.IsInf(p.Lon+p.Lat, 0) && !math.IsNaN(p.Lon+p.Lat)
}
