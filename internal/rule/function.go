package rule

import (
	"errors"
	"fmt"
	"math"

	"github.com/ganigeorgiev/fexpr"

	"github.com/pandobase/pando"
)

const maxStrftimeArgs = 10

// function resolves a call.
func (r *resolver) function(t fexpr.Token) (*Operand, error) {
	args, _ := t.Meta.([]fexpr.Token)
	switch t.Literal {
	case "geoDistance":
		return r.distance(args)
	case "strftime":
		return r.strftime(args)
	}
	return nil, fmt.Errorf("unknown function %q; there are geoDistance and strftime", t.Literal)
}

func (r *resolver) distance(args []fexpr.Token) (*Operand, error) {
	if len(args) != 4 {
		return nil, fmt.Errorf("geoDistance takes 4 arguments (longitude and latitude of two points), got %d", len(args))
	}
	o := &Operand{Kind: OperandDistance, Exact: true}
	for i, a := range args {
		if a.Type != fexpr.TokenIdentifier && a.Type != fexpr.TokenNumber {
			return nil, fmt.Errorf("argument %d of geoDistance must be an identifier or a number", i+1)
		}
		arg, err := r.operand(a)
		if err != nil {
			return nil, fmt.Errorf("argument %d of geoDistance: %w", i+1, err)
		}
		o.Args = append(o.Args, arg)
	}
	return o, nil
}

func (r *resolver) strftime(args []fexpr.Token) (*Operand, error) {
	if len(args) == 0 || len(args) > maxStrftimeArgs {
		return nil, fmt.Errorf("strftime takes 1 to %d arguments (format, time, modifiers), got %d", maxStrftimeArgs, len(args))
	}
	o := &Operand{Kind: OperandStrftime}
	for i, a := range args {
		if i != 1 && a.Type != fexpr.TokenText {
			return nil, fmt.Errorf("argument %d of strftime must be a text", i+1)
		}
		if a.Type == fexpr.TokenFunction {
			return nil, errors.New("argument 2 of strftime must be an identifier, a number or a text")
		}
		arg, err := r.operand(a)
		if err != nil {
			return nil, fmt.Errorf("argument %d of strftime: %w", i+1, err)
		}
		o.Args = append(o.Args, arg)
	}
	if len(o.Args) == 1 {
		o.Args = append(o.Args, &Operand{Value: Text("now"), Literal: true})
	}
	at := o.Args[1]
	o.Multi, o.Chain = at.Multi, at.Chain
	o.visible = at.visible
	if at.Kind == OperandValue && isNow(at.Value) || at.Kind == OperandInput || at.MayBeNow() {
		r.plan.volatile = true
	}
	r.plan.remote = r.plan.remote || at.MayBeNow() // what a free text means as a time, only the database knows in full
	return o, nil
}

// MayBeNow tells whether a row can make the operand the text "now": a column of
// free text can.
func (o *Operand) MayBeNow() bool {
	f := o.Field
	if o.Kind == OperandItem {
		return true
	}
	return f != nil && f.Type != pando.FieldDate && f.Type != pando.FieldAutodate && f.Type != pando.FieldNumber
}

const earthRadius = 6371 // km

// distance is the great-circle distance in kilometres, null if a coordinate is
// no number. The cosine is clamped: rounding makes it 1.0000000000000002 for
// two equal points.
func distance(lonA, latA, lonB, latB Value) Value {
	var rad [4]float64
	for i, v := range [4]Value{lonA, latA, lonB, latB} {
		switch v = v.Numeric(); v.kind {
		case kindInt:
			rad[i] = float64(v.n) * (math.Pi / 180)
		case kindReal:
			rad[i] = v.f * (math.Pi / 180)
		default:
			return Null
		}
	}
	cos := math.Cos(rad[1])*math.Cos(rad[3])*math.Cos(rad[2]-rad[0]) + math.Sin(rad[1])*math.Sin(rad[3])
	return Real(earthRadius * math.Acos(math.Min(1, math.Max(-1, cos))))
}
