package importer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/field"
)

// read brings a value of the file into the type of f. The web API is lenient
// and makes the zero value of what it cannot understand; here that is an error,
// since nobody would see what was lost. layout is that of the column's dates, if
// it is known.
func read(f *pando.Field, value any, layout string) (any, error) {
	text, isText := value.(string)
	if value == nil || isText && strings.TrimSpace(text) == "" && f.Type != pando.FieldText && f.Type != pando.FieldEditor {
		return field.Cast(f, nil), nil
	}
	var err error
	switch f.Type {
	case pando.FieldNumber:
		value, err = readNumber(value)
	case pando.FieldBool:
		value, err = readBool(value)
	case pando.FieldDate, pando.FieldAutodate:
		return readDate(f, value, layout)
	case pando.FieldSelect, pando.FieldRelation:
		err = checkList(f, value)
	case pando.FieldFile:
		err = errors.New("files cannot be imported: upload them with the web API")
	case pando.FieldGeoPoint:
		return readPoint(value)
	case pando.FieldJSON:
	default:
		value, err = readText(value)
	}
	if err != nil {
		return nil, err
	}
	return field.Cast(f, value), nil
}

func readNumber(value any) (any, error) {
	switch v := value.(type) {
	case float64:
		return v, nil
	case string:
		n, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		if err != nil {
			return nil, fmt.Errorf("%s is not a number", quoted(v))
		}
		return n, nil
	}
	return nil, fmt.Errorf("%s is not a number", quoted(value))
}

func readBool(value any) (any, error) {
	switch v := value.(type) {
	case bool:
		return v, nil
	case float64:
		if v == 0 || v == 1 {
			return v == 1, nil
		}
	case string:
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "true", "t", "yes", "y", "1":
			return true, nil
		case "false", "f", "no", "n", "0":
			return false, nil
		}
	}
	return nil, fmt.Errorf("%s is neither true nor false", quoted(value))
}

// readDate reads a date in any of the layouts that files have: more than
// clients may send.
func readDate(f *pando.Field, value any, layout string) (any, error) {
	if text, ok := value.(string); ok {
		if t := parseDate(text, layout); t != "" {
			return t, nil
		}
		if t := field.Cast(f, text); t != "" {
			return t, nil
		}
	}
	return nil, fmt.Errorf("%s is not a date that is understood: write it as 2024-01-31 or 2024-01-31 15:04:05", quoted(value))
}

// readText is the text of a value that has one.
func readText(value any) (any, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	}
	return nil, fmt.Errorf("%s is not a text", quoted(value))
}

// checkList finds what a cast to a list of texts would leave out.
func checkList(f *pando.Field, value any) error {
	items := []any{value}
	switch v := value.(type) {
	case []any:
		items = v
	case string:
		if list := []any(nil); strings.HasPrefix(strings.TrimSpace(v), "[") && json.Unmarshal([]byte(v), &list) == nil {
			items = list
		}
	}
	if len(items) > 1 && !f.Multiple() {
		return fmt.Errorf("has %d values, and the field takes one", len(items))
	}
	for _, item := range items {
		if _, err := readText(item); err != nil {
			return err
		}
	}
	return nil
}

func readPoint(value any) (any, error) {
	if text, ok := value.(string); ok {
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			return nil, fmt.Errorf("%s is not a point: write it as {\"lon\": 13.4, \"lat\": 52.5}", quoted(text))
		}
	}
	point, _ := value.(map[string]any)
	lon, hasLon := point["lon"].(float64)
	lat, hasLat := point["lat"].(float64)
	if !hasLon || !hasLat || len(point) != 2 {
		return nil, fmt.Errorf("%s is not a point: write it as {\"lon\": 13.4, \"lat\": 52.5}", quoted(value))
	}
	return pando.GeoPoint{Lon: lon, Lat: lat}, nil
}

// quoted shows a value in an error, shortened.
func quoted(value any) string {
	b, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	if r := []rune(string(b)); len(r) > 60 {
		return string(r[:57]) + "..."
	}
	return string(b)
}
