package field

import (
	"encoding/json"

	"github.com/pandobase/pando"
)

type geoPoint struct{}

func (geoPoint) cast(_ *pando.Field, raw any) any {
	var p pando.GeoPoint
	switch v := raw.(type) {
	case pando.GeoPoint:
		return v
	case *pando.GeoPoint:
		if v != nil {
			return *v
		}
	case string:
		_ = json.Unmarshal([]byte(v), &p) // what fits is kept
	case map[string]any, json.RawMessage, map[string]float64:
		if data, err := json.Marshal(v); err == nil {
			_ = json.Unmarshal(data, &p)
		}
	}
	return p
}

func (geoPoint) check(f *pando.Field, v any) *pando.FieldError {
	p := v.(pando.GeoPoint)
	switch {
	case p == pando.GeoPoint{}:
		return required(f)
	case p.Lat < -90 || p.Lat > 90:
		return &pando.FieldError{Code: "validation_invalid_latitude", Message: "Latitude must be between -90 and 90 degrees."}
	case p.Lon < -180 || p.Lon > 180:
		return &pando.FieldError{Code: "validation_invalid_longitude", Message: "Longitude must be between -180 and 180 degrees."}
	}
	return nil
}

func (geoPoint) options(_, _ *pando.Field, _ pando.FieldErrors) {}
