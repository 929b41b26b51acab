package rule

import "github.com/pandobase/pando"

// A checked rule is a tree of these nodes. [Rule.Bind] gives it out with the
// request's values put in; internal/store/sqlgen turns that into SQL.

// Node is a condition: [Const], [And], [Or], [*Exists] or [*Compare].
type Node interface{ node() }

// Const always holds, or never.
type Const bool

// And holds if all of its parts do.
type And []Node

// Or holds if one of its parts does.
type Or []Node

// Exists holds if some combination of one row of each join makes Cond hold. A
// join without rows counts as one row of nulls (a LEFT JOIN), so there is always
// a combination. Joins stand after their parents. All comparisons inside see
// the same combination: that two conditions on one path must hold for the same
// related record is what makes paths useful.
type Exists struct {
	Joins []*Join
	Cond  Node
}

// Compare holds if the operator holds between its operands and, if All is set,
// fails for no other value that the operands' multi-valued paths can take: every
// pair of values is tried, each path walked anew from the record. A comparison
// with null neither holds nor fails.
type Compare struct {
	Op          Op
	Left, Right *Operand
	All         bool
}

func (Const) node()    {}
func (And) node()      {}
func (Or) node()       {}
func (*Exists) node()  {}
func (*Compare) node() {}

// Op is a comparison operator.
type Op uint8

// The operators; Like is ~ of the language.
const (
	Equal Op = iota
	NotEqual
	Less
	LessEqual
	Greater
	GreaterEqual
	Like
	NotLike
)

var ops = map[string]Op{
	"=": Equal, "!=": NotEqual, "<": Less, "<=": LessEqual, ">": Greater, ">=": GreaterEqual, "~": Like, "!~": NotLike,
}

// OperandKind says where an operand's value comes from.
type OperandKind uint8

const (
	OperandValue    OperandKind = iota // Value
	OperandInput                       // the request; only before Bind
	OperandMacro                       // the time; only before Bind
	OperandField                       // column Field of Join's row
	OperandPath                        // Path inside JSON column Field of Join's row
	OperandItem                        // the item that Join stands at
	OperandLength                      // the number of items in column Field of Join's row
	OperandChanged                     // 1 if Args[0], a value, differs from Args[1], else 0
	OperandDistance                    // kilometres from Args[0], Args[1] to Args[2], Args[3], each longitude, latitude
	OperandStrftime                    // strftime of Args
)

// Operand is one side of a comparison.
type Operand struct {
	Kind  OperandKind
	Value Value
	// Missing marks a Value that is not there at all: null, and equal to "".
	Missing bool
	// Literal marks what is known before the rows are: a literal, a value of
	// the request. Null is not merged with "" when compared to it.
	Literal bool
	// Exact marks JSON paths and distances, where null and "" differ.
	Exact    bool
	Lower    bool // LOWER(…) of all that
	Affinity Affinity

	Join  *Join // nil: the record itself
	Field *pando.Field
	Path  string // "$.a[0].b"; letters, digits and _ only
	Args  []*Operand

	// Multi marks that the path can give more than one value; Chain is then
	// the joins to walk anew, parents first.
	Multi bool
	Chain []*Join

	pattern string // of a literal behind ~
	index   int    // of Field in its collection
	in      *input
	macro   macro
	visible *Operand // emailVisibility beside an e-mail that a client compares
}

// Nullable tells whether the operand can be null: anything that is not a plain
// column of a table's own row. Columns of tables are NOT NULL, views' are not.
func (o *Operand) Nullable(own *pando.Collection) bool {
	return o.Kind != OperandField || o.Join != nil || own.IsView()
}

// IsOwnID tells whether the operand is the record's own id, which is always
// there and never "".
func (o *Operand) IsOwnID() bool {
	return o.Kind == OperandField && o.Join == nil && o.Field.Name == "id" && !o.Lower
}

// JoinKind says which rows a join gives for one row of its parent.
type JoinKind uint8

const (
	JoinRelation   JoinKind = iota // records of Collection whose ids are in Field of the parent
	JoinBack                       // records of Collection whose Field holds the parent's id
	JoinCollection                 // all records of Collection
	JoinIDs                        // records of Collection by ids of the request
	JoinEach                       // items of list column Field of the parent
	JoinItems                      // items of a list of the request
)

// Join is a step of a path from a record to others, or to the items of a list.
type Join struct {
	Index      int // among the rule's joins
	Kind       JoinKind
	Parent     *Join             // nil: the record itself, or nothing
	Field      *pando.Field      // of the parent's collection; of Collection for JoinBack
	Collection *pando.Collection // nil for items
	Many       bool              // may give more than one row for a row of the parent
	Multi      bool              // a plain operator asks for all of them

	key   string
	in    *input // JoinIDs, JoinItems
	index int    // of Field in its collection
	depth int
}

// Unique tells whether j's row follows from the record: no join on the way to it
// can give more than one row.
func (j *Join) Unique() bool { return j.root() == nil }

// Items tells whether j gives items of a list rather than records.
func (j *Join) Items() bool { return j.Kind == JoinEach || j.Kind == JoinItems }

// root is the first join on the way to j that can give many rows; nil if none
// can: then j's row follows from the record.
func (j *Join) root() *Join {
	var root *Join
	for ; j != nil; j = j.Parent {
		if j.Many {
			root = j
		}
	}
	return root
}
