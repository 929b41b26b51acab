package dataset

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// Salts keep the ids of different things apart.
const (
	saltRecord = 0x9e3779b97f4a7c15
	saltUser   = 0xc2b2ae3d27d4eb4f
	saltOwner  = 0x165667b19e3779f9
)

const base36 = "0123456789abcdefghijklmnopqrstuvwxyz"

// IDLen is the length of an id in bytes.
const IDLen = 15

// AppendRecordID appends the id of record i.
func AppendRecordID(dst []byte, i int) []byte { return appendID(dst, saltRecord, i) }

// AppendUserID appends the id of user i.
func AppendUserID(dst []byte, i int) []byte { return appendID(dst, saltUser, i) }

// RecordID is the id of record i.
func RecordID(i int) string { return string(AppendRecordID(nil, i)) }

// UserID is the id of user i.
func UserID(i int) string { return string(AppendUserID(nil, i)) }

// UserEmail is the email of user i.
func UserEmail(i int) string { return fmt.Sprintf("user%07d@example.com", i) }

// appendID spells two mixed words in base 36: 8 and 7 digits, 77 bits, so that
// ten million ids do not collide.
func appendID(dst []byte, salt uint64, i int) []byte {
	a := mix(salt + uint64(i))
	b := mix(a ^ salt)
	for range 8 {
		dst = append(dst, base36[a%36])
		a /= 36
	}
	for range IDLen - 8 {
		dst = append(dst, base36[b%36])
		b /= 36
	}
	return dst
}

// mix is the finalizer of splitmix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Record is the content of a record as the web API takes it. As JSON in an
// answer it has about 600 bytes.
type Record struct {
	ID       string `json:"id,omitempty"`
	Title    string `json:"title"`
	Body     string `json:"body"`
	Category string `json:"category"`
	Lot      string `json:"lot"`
	Points   int    `json:"points"`
	Active   bool   `json:"active"`
	Due      string `json:"due"`
	Owner    string `json:"owner"`
}

// Record returns record i.
func (s Spec) Record(i int) Record {
	rng := rand.New(rand.NewPCG(saltRecord, uint64(i)))
	return Record{
		ID:       RecordID(i),
		Title:    words(rng, 28),
		Body:     words(rng, 260),
		Category: Category(rng.IntN(Categories)),
		Lot:      LotName(i / Lot),
		Points:   rng.IntN(1000),
		Active:   rng.IntN(2) == 0,
		Due:      time.Date(2026, 1, 1, 0, rng.IntN(365*24*60), 0, 0, time.UTC).Format("2006-01-02 15:04:05.000Z"),
		Owner:    UserID(s.Owner(i)),
	}
}

// Owner is the number of the user who owns record i.
func (s Spec) Owner(i int) int { return int(mix(saltOwner+uint64(i)) % uint64(s.Users)) }

// Lots is the number of values of the field lot.
func (s Spec) Lots() int { return (s.Records + Lot - 1) / Lot }

// Category is the name of category i.
func Category(i int) string { return fmt.Sprintf("category-%02d", i) }

// LotName is the name of lot i.
func LotName(i int) string { return "lot-" + strconv.Itoa(i) }

// User is a user as the web API takes it when it is created.
type User struct {
	ID              string `json:"id"`
	Email           string `json:"email"`
	Name            string `json:"name"`
	Password        string `json:"password"`
	PasswordConfirm string `json:"passwordConfirm"`
	Verified        bool   `json:"verified"`
}

// NewUser returns user i.
func NewUser(i int) User {
	return User{
		ID: UserID(i), Email: UserEmail(i), Name: fmt.Sprintf("User %d", i),
		Password: UserPassword, PasswordConfirm: UserPassword, Verified: true,
	}
}

var vocabulary = [...]string{
	"aspen", "grove", "trunk", "root", "light", "under", "one", "river", "stone", "quiet", "morning", "the", "of",
	"and", "leaf", "autumn", "gold", "wind", "slope", "meadow", "old", "young", "tall", "many", "single", "grows",
	"stands", "spreads", "after", "fire", "before", "winter", "snow", "white", "bark", "north", "valley", "ridge",
}

// words returns text of exactly n bytes.
func words(rng *rand.Rand, n int) string {
	b := make([]byte, 0, n+8)
	for len(b) < n {
		b = append(b, vocabulary[rng.IntN(len(vocabulary))]...)
		b = append(b, ' ')
	}
	b = b[:n]
	if b[n-1] == ' ' {
		b[n-1] = '.'
	}
	return string(b)
}
