package pando

import "slices"

// FieldType names one of the kinds of field.
type FieldType string

// The types of fields, as the web API spells them.
const (
	FieldText     FieldType = "text"
	FieldNumber   FieldType = "number"
	FieldBool     FieldType = "bool"
	FieldEmail    FieldType = "email"
	FieldURL      FieldType = "url"
	FieldEditor   FieldType = "editor"
	FieldDate     FieldType = "date"
	FieldAutodate FieldType = "autodate"
	FieldSelect   FieldType = "select"
	FieldJSON     FieldType = "json"
	FieldFile     FieldType = "file"
	FieldRelation FieldType = "relation"
	FieldPassword FieldType = "password"
	FieldGeoPoint FieldType = "geoPoint"
)

// Field is one named, typed value of a collection's records.
type Field struct {
	ID          string // stable; a rename keeps it
	Name        string
	Type        FieldType
	System      bool
	Hidden      bool // seen by superusers only
	Presentable bool
	Required    bool
	Help        string
	Options     FieldOptions // the struct of Type; never nil
}

// FieldOptions is what one type of field adds. It is one of the *…Options
// structs of this file, always as a pointer.
type FieldOptions interface {
	fieldType() FieldType
	clone() FieldOptions
}

type (
	// TextOptions bounds a text by its length in runes and by a pattern.
	TextOptions struct {
		Min                 int    `json:"min"`
		Max                 int    `json:"max"` // 0 means 5000 runes
		Pattern             string `json:"pattern"`
		AutogeneratePattern string `json:"autogeneratePattern"`
		PrimaryKey          bool   `json:"primaryKey"`
	}
	// NumberOptions bounds a number; nil is no bound.
	NumberOptions struct {
		Min     *float64 `json:"min"`
		Max     *float64 `json:"max"`
		OnlyInt bool     `json:"onlyInt"`
	}
	// BoolOptions is empty: a bool has no options.
	BoolOptions struct{}
	// EmailOptions names the domains that are refused, or the only ones accepted.
	EmailOptions struct {
		ExceptDomains []string `json:"exceptDomains"`
		OnlyDomains   []string `json:"onlyDomains"`
	}
	// URLOptions is for links as [EmailOptions] is for addresses.
	URLOptions struct {
		ExceptDomains []string `json:"exceptDomains"`
		OnlyDomains   []string `json:"onlyDomains"`
	}
	// EditorOptions bounds a text of HTML.
	EditorOptions struct {
		MaxSize     int64 `json:"maxSize"` // bytes; 0 means 5 MB
		ConvertURLs bool  `json:"convertURLs"`
	}
	// DateOptions bounds a date; "" is no bound.
	DateOptions struct {
		Min string `json:"min"`
		Max string `json:"max"`
	}
	// AutodateOptions says when the server sets the date.
	AutodateOptions struct {
		OnCreate bool `json:"onCreate"`
		OnUpdate bool `json:"onUpdate"`
	}
	// SelectOptions lists what may be chosen, and how many of it; a MaxSelect up
	// to 1 makes a single value.
	SelectOptions struct {
		Values    []string `json:"values"`
		MaxSelect int      `json:"maxSelect"`
	}
	// JSONOptions bounds a JSON value.
	JSONOptions struct {
		MaxSize int64 `json:"maxSize"` // bytes; 0 means 1 MB
	}
	// FileOptions says which files a field takes, and who may read them.
	FileOptions struct {
		MaxSize   int64    `json:"maxSize"` // bytes; 0 means 5 MB
		MaxSelect int      `json:"maxSelect"`
		MimeTypes []string `json:"mimeTypes"`
		Thumbs    []string `json:"thumbs"`
		Protected bool     `json:"protected"`
	}
	// RelationOptions names the collection whose records are referred to.
	RelationOptions struct {
		CollectionID  string `json:"collectionId"`
		CascadeDelete bool   `json:"cascadeDelete"`
		MinSelect     int    `json:"minSelect"`
		MaxSelect     int    `json:"maxSelect"`
	}
	// PasswordOptions bounds a password, and says how hard its hash is to compute.
	PasswordOptions struct {
		Min     int    `json:"min"`
		Max     int    `json:"max"` // 0 means 71 bytes, bcrypt's limit
		Pattern string `json:"pattern"`
		Cost    int    `json:"cost"` // bcrypt; 0 means 10
	}
	// GeoPointOptions is empty: a point has no options.
	GeoPointOptions struct{}
)

// NewOptions is the zero options struct of t; nil if t is no field type.
func NewOptions(t FieldType) FieldOptions {
	switch t {
	case FieldText:
		return new(TextOptions)
	case FieldNumber:
		return new(NumberOptions)
	case FieldBool:
		return new(BoolOptions)
	case FieldEmail:
		return new(EmailOptions)
	case FieldURL:
		return new(URLOptions)
	case FieldEditor:
		return new(EditorOptions)
	case FieldDate:
		return new(DateOptions)
	case FieldAutodate:
		return new(AutodateOptions)
	case FieldSelect:
		return new(SelectOptions)
	case FieldJSON:
		return new(JSONOptions)
	case FieldFile:
		return new(FileOptions)
	case FieldRelation:
		return new(RelationOptions)
	case FieldPassword:
		return new(PasswordOptions)
	case FieldGeoPoint:
		return new(GeoPointOptions)
	}
	return nil
}

// Multiple tells whether a value of f is a list ([]string) rather than one
// string: a select, file or relation field with maxSelect above 1.
func (f *Field) Multiple() bool {
	switch o := f.Options.(type) {
	case *SelectOptions:
		return o.MaxSelect > 1
	case *FileOptions:
		return o.MaxSelect > 1
	case *RelationOptions:
		return o.MaxSelect > 1
	}
	return false
}

// Clone is a deep copy.
func (f *Field) Clone() *Field {
	g := *f
	g.Options = f.Options.clone()
	return &g
}

func (*TextOptions) fieldType() FieldType     { return FieldText }
func (*NumberOptions) fieldType() FieldType   { return FieldNumber }
func (*BoolOptions) fieldType() FieldType     { return FieldBool }
func (*EmailOptions) fieldType() FieldType    { return FieldEmail }
func (*URLOptions) fieldType() FieldType      { return FieldURL }
func (*EditorOptions) fieldType() FieldType   { return FieldEditor }
func (*DateOptions) fieldType() FieldType     { return FieldDate }
func (*AutodateOptions) fieldType() FieldType { return FieldAutodate }
func (*SelectOptions) fieldType() FieldType   { return FieldSelect }
func (*JSONOptions) fieldType() FieldType     { return FieldJSON }
func (*FileOptions) fieldType() FieldType     { return FieldFile }
func (*RelationOptions) fieldType() FieldType { return FieldRelation }
func (*PasswordOptions) fieldType() FieldType { return FieldPassword }
func (*GeoPointOptions) fieldType() FieldType { return FieldGeoPoint }

func (o *TextOptions) clone() FieldOptions     { return new(*o) }
func (o *BoolOptions) clone() FieldOptions     { return new(*o) }
func (o *EditorOptions) clone() FieldOptions   { return new(*o) }
func (o *DateOptions) clone() FieldOptions     { return new(*o) }
func (o *AutodateOptions) clone() FieldOptions { return new(*o) }
func (o *JSONOptions) clone() FieldOptions     { return new(*o) }
func (o *RelationOptions) clone() FieldOptions { return new(*o) }
func (o *PasswordOptions) clone() FieldOptions { return new(*o) }
func (o *GeoPointOptions) clone() FieldOptions { return new(*o) }

func (o *NumberOptions) clone() FieldOptions {
	p := *o
	if o.Min != nil {
		p.Min = new(*o.Min)
	}
	if o.Max != nil {
		p.Max = new(*o.Max)
	}
	return &p
}

func (o *EmailOptions) clone() FieldOptions {
	return &EmailOptions{slices.Clone(o.ExceptDomains), slices.Clone(o.OnlyDomains)}
}

func (o *URLOptions) clone() FieldOptions {
	return &URLOptions{slices.Clone(o.ExceptDomains), slices.Clone(o.OnlyDomains)}
}

func (o *SelectOptions) clone() FieldOptions {
	p := *o
	p.Values = slices.Clone(o.Values)
	return &p
}

func (o *FileOptions) clone() FieldOptions {
	p := *o
	p.MimeTypes, p.Thumbs = slices.Clone(o.MimeTypes), slices.Clone(o.Thumbs)
	return &p
}
